package locations

import (
	"maps"
	"net/url"
	"runtime"
	"slices"
	"strings"

	"github.com/omnibucket/storage/internal/localfile"
)

// configuredAddress returns the address from the configuration, with Parameters and Credentials added to
// the query. A folder in the address stays in the path, or in the fragment of a file address.
func (loc *Location) configuredAddress() (string, error) {
	if !IsAddress(loc.Address) {
		return "", invalid("it must have an address", addressHint)
	}

	parameters := maps.Clone(loc.Parameters)
	if loc.Credentials != "" {
		if parameters == nil {
			parameters = map[string]string{}
		}
		if _, exists := parameters["credentials"]; exists {
			return "", invalid("credentials must not be given twice", "")
		}
		parameters["credentials"] = loc.Credentials
	}

	// Split off the fragment, so that parameters can be added to the query before it. The text of the
	// address stays as it is.
	base, fragment, hasFragment := strings.Cut(loc.Address, "#")
	_, query, hasQuery := strings.Cut(base, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", invalid("address must have parameters that can be read", "")
	}

	separator := "?"
	if hasQuery {
		separator = "&"
	}

	var b strings.Builder
	b.WriteString(base)
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if values.Has(name) {
			// The error does not quote the name, which may be a secret in the wrong place.
			return "", invalid("no parameter must be given twice, in the address and beside it", "")
		}
		b.WriteString(separator + url.QueryEscape(name) + "=" + url.QueryEscape(parameters[name]))
		separator = "&"
	}

	if hasFragment {
		b.WriteString("#" + fragment)
	}
	return b.String(), nil
}

// openAddress returns the address that is passed to [storage.Open], which has the folder of the location
// as its parameter prefix. The errors do not quote the address, which may contain a secret.
func (loc *Location) openAddress() (string, error) {
	address, err := loc.configuredAddress()
	if err != nil {
		return "", err
	}

	base, folder, query, err := splitAddress(address)
	if err != nil {
		return "", err
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", invalid("address must have parameters that can be read", "")
	}
	if holdsSecret(values) {
		return "", invalid("it must not hold credentials in its parameters",
			"set the provider's own environment variables, or use its files")
	}

	if folder != "" {
		// The configuration may give a prefix, too. Then the folder is below it.
		prefixes, isSet := values["prefix"]
		if isSet && (len(prefixes) > 1 || !strings.HasSuffix(prefixes[0], "/")) {
			return "", invalid(`prefix must be given once, and end in "/"`, "")
		}
		values.Set("prefix", values.Get("prefix")+folder)
		query = values.Encode()
	}
	if query != "" {
		base += "?" + query
	}
	return base, nil
}

// splitAddress divides an address into the address of the bucket, the folder in the bucket, and the
// query. The folder is "" or ends in "/". In scheme://bucket/folder/?query, it is the path. In
// file:///directory?query#folder, it is the fragment, because the path is that of the directory.
func splitAddress(address string) (base, folder, query string, err error) {
	scheme, rest, _ := strings.Cut(address, "://")
	rest, fragment, hasFragment := strings.Cut(rest, "#")
	hostAndPath, query, _ := strings.Cut(rest, "?")
	host, path, _ := strings.Cut(hostAndPath, "/")

	if strings.Contains(host, "@") {
		return "", "", "", invalid("address must not hold credentials",
			"set the provider's own environment variables, or use its files")
	}

	var escapedFolder string
	isFile := strings.EqualFold(scheme, "file")
	if isFile {
		base = "file://" + hostAndPath
		escapedFolder = fragment
	} else {
		if hasFragment {
			return "", "", "", invalid(`address must not have a "#"`, `write "#" in a key as %23`)
		}
		base = strings.ToLower(scheme) + "://" + host
		escapedFolder = path
	}

	folder, err = url.PathUnescape(escapedFolder)
	if err != nil {
		return "", "", "", invalid(`address must have two hexadecimal digits after each "%"`, `write "%" in a key as %25`)
	}
	if folder != "" && !strings.HasSuffix(folder, "/") {
		folder += "/"
	}
	return base, folder, query, nil
}

// holdsSecret reports whether parameters seem to contain credentials.
func holdsSecret(parameters url.Values) bool {
	for name, values := range parameters {
		// The value of "credentials" is a name, and no secret.
		if name != "credentials" && secretName.MatchString(name) {
			return true
		}
		for _, value := range values {
			u, err := url.Parse(value)
			if err == nil && u.User != nil {
				return true
			}
		}
	}
	return false
}

// directory returns the local directory that is the location's bucket, or "" if its address is not a
// file address.
func (loc *namedLocation) directory() string {
	u, err := url.Parse(loc.address)
	if err != nil || u.Scheme != "file" {
		return ""
	}
	return localfile.FromURL(u.Path, runtime.GOOS == "windows")
}
