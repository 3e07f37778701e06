// Package location parses arguments of the command line. An argument names an object, a folder, a
// bucket or a file, and may have wildcards.
package location

import (
	"errors"
	"net/url"
	"path"
	"regexp"
	"runtime"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/locations"
)

// A kind says what a [Location] names.
type kind int

const (
	InBucket  kind = iota // an object, a folder, or a whole bucket
	LocalPath             // a path of this machine
	Stream                // standard input or output
	Account               // an address without a bucket
)

// A Location is a parsed argument of a command, such as s3://photos/2024/ or ./file.
type Location struct {
	Kind kind
	Path string // the path, if Kind is LocalPath
	Name string // configured name of the address, as in name:key, or ""

	// InAccount is true if Name stands for an account, and the argument names a bucket of it, as in
	// name:bucket/key.
	InAccount bool

	// Scheme, Host, Dir and Query are the parts of the address, escaped. Dir is set only if Scheme
	// is "file".
	Scheme, Host, Dir, Query string
	Prefix                   string // the prefix that the address adds to all keys: "" or ending in "/"
	Key                      string // the key in the bucket, not escaped
	HasWildcard              bool   // true if the key has wildcards; --literal ignores them
	Pattern                  string // if the key of an address has wildcards, the pattern; otherwise ""
}

// schemeForm matches the beginning of an address that has only one slash after its scheme.
var schemeForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:/`)

// Hints of errors about locations.
const (
	AddressHint = "use a location: scheme://bucket/key, file:///absolute/directory#key, or name:key with OMNIBUCKET_NAME set"
	nameHint    = "add it with \"omnibucket config add\", or set the variable"
	PathHint    = "write the path of a file as ./name:key"
)

// Parse parses an argument, and reads the variable of a named location with lookup. Its errors do not
// quote the argument, which may contain credentials.
func Parse(text string, lookup func(string) (string, bool)) (Location, error) {
	if text == "" {
		return Location{}, argument.Invalid("location must not be empty", AddressHint)
	}
	if text == "-" {
		return Location{Kind: Stream}, nil
	}

	if locations.IsAddress(text) {
		return ParseAddress(text)
	}

	// A location by its name has the form name:key, and anything else is a path.
	name, key, ok := cutName(text, runtime.GOOS == "windows")
	if !ok {
		return Location{Kind: LocalPath, Path: text}, nil
	}

	if locations.IsName(name) {
		if address, set := lookup(locations.Variable(name)); set {
			return parseName(name, address, key)
		}
	}
	return Location{}, unknownNameError(text, name)
}

// unknownNameError returns the error for an argument of the form name:key if no location has that name.
func unknownNameError(text, name string) error {
	// An argument such as s3:/photos is probably an address that lacks a slash.
	if schemeForm.MatchString(text) {
		return argument.Invalid("address must have two slashes after its scheme", AddressHint+"; "+PathHint)
	}
	if locations.IsName(name) {
		return argument.Invalid(locations.Variable(name)+
			" is not set, and the configuration has no location "+name, nameHint+"; "+PathHint)
	}
	return argument.Invalid(
		`location must have a name of letters, digits, "-" and "_" before its ":"`,
		AddressHint+"; "+PathHint,
	)
}

// cutName splits an argument of the form name:key, which has a colon before its first slash. On
// Windows, one letter before the colon is a drive and not a name.
func cutName(text string, windows bool) (name, key string, ok bool) {
	name, key, ok = strings.Cut(text, ":")
	if !ok || strings.ContainsRune(name, '/') {
		return "", "", false
	}
	// On Windows, C:\photos and photos\a:b are paths.
	if windows && (len(name) == 1 || strings.ContainsRune(name, '\\')) {
		return "", "", false
	}
	return name, key, true
}

// parseName returns the location of name:key, where name stands for address and key has no escapes. If
// the address is that of an account, the key begins with a bucket, as in "all:bucket/key". Errors do
// not quote the address, which may contain credentials.
func parseName(name, address, key string) (Location, error) {
	if !locations.IsAddress(address) {
		return Location{}, argument.Invalid("location "+name+" must have an address",
			"correct "+locations.Variable(name)+", or the configuration; "+AddressHint)
	}
	l, err := ParseAddress(address)
	if err != nil {
		return Location{}, err
	}
	if l.Kind == Account && key != "" {
		l.Host, key, _ = strings.Cut(key, "/")
		l.Kind = InBucket
		l.InAccount = true
		isBucketName := l.Host != "" && !strings.ContainsAny(l.Host, wildcards+"#%")
		if !isBucketName {
			return Location{}, argument.Invalid("location "+name+
				" is an account: the name of a bucket must follow its colon",
				"write "+name+":bucket/key; \"omnibucket ls "+name+":\" lists the buckets")
		}
	}

	// The key of the address is a folder, to which the key of the argument is relative.
	l.Prefix += AsFolder(l.Key)
	l.Name = name
	l.Key = key
	l.HasWildcard = strings.ContainsAny(key, wildcards)
	l.Pattern = ""
	return l, nil
}

// ParseAddress parses an address with an optional key. It leaves the checks of the scheme and the parameters to
// storage.Open.
func ParseAddress(text string) (Location, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	l := Location{Scheme: strings.ToLower(scheme)}

	rest, fragment, hasFragment := strings.Cut(rest, "#")
	rest, l.Query, _ = strings.Cut(rest, "?")
	// Without query and fragment, the rest is the bucket and the key.
	host, escapedKey, _ := strings.Cut(rest, "/")
	l.Host = host
	if strings.Contains(host, "@") {
		return Location{}, argument.Invalid("address must not hold credentials",
			"set the provider's own environment variables, or use its files")
	}

	switch {
	case l.Scheme == "file":
		// In an address with the scheme file:, the path is that of a directory, and the fragment is
		// the key.
		l.Dir = strings.TrimPrefix(rest, host)
		escapedKey = fragment
	case hasFragment:
		return Location{}, argument.Invalid(`address must not have a "#"`, `write "#" in a key as %23`)
	case host == "" && escapedKey == "":
		l.Kind = Account
	case host == "":
		return Location{}, argument.Invalid("address with a key must have a bucket", AddressHint)
	}

	if err := l.takePrefix(); err != nil {
		return Location{}, err
	}
	if err := l.setKey(escapedKey); err != nil {
		return Location{}, err
	}
	return l, nil
}

// setKey sets the key of an address, without its percent-encoding, and the fields about wildcards in the key.
func (l *Location) setKey(escaped string) error {
	key, err := url.PathUnescape(escaped)
	if err != nil {
		return argument.Invalid(
			`address must have two hexadecimal digits after each "%"`,
			`write "%" in a key as %25`,
		)
	}
	l.Key = key
	l.HasWildcard = strings.ContainsAny(escaped, wildcards)
	if l.HasWildcard {
		l.Pattern = PatternOf(escaped, true)
	}
	return nil
}

// takePrefix moves prefix= from the query to l.Prefix, which all commands take for the
// folder to work in.
func (l *Location) takePrefix() error {
	var others []string
	for pair := range strings.SplitSeq(l.Query, "&") {
		escapedName, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(escapedName)
		isPrefix := err == nil && name == "prefix"
		if !isPrefix {
			// All other parameters stay in the query.
			others = append(others, pair)
			continue
		}

		if l.Kind == Account {
			return argument.Invalid("address of an account must not have the parameter prefix", "")
		}
		if l.Prefix != "" {
			return argument.Invalid("parameter prefix must not be given more than once", "")
		}
		prefix, err := url.QueryUnescape(value)
		if err != nil || !strings.HasSuffix(prefix, "/") {
			return argument.Invalid(
				`parameter prefix must be a folder that ends in "/"`,
				"leave it out for the whole bucket",
			)
		}
		l.Prefix = prefix
	}
	l.Query = strings.Join(others, "&")
	return nil
}

// Address returns the address without its key and prefix, for storage.Open.
func (l Location) Address() string { return l.Scheme + "://" + l.Host + l.Dir + l.Parameters() }

// Parameters returns the parameters of the address with a leading "?". Without parameters, it
// returns "".
func (l Location) Parameters() string {
	if l.Query == "" {
		return ""
	}
	return "?" + l.Query
}

// SplitAccount splits a location that is a bucket into the address of its account, for
// storage.OpenService, and the name of the bucket.
func (l Location) SplitAccount() (address, bucket string, err error) {
	if l.Path != "" {
		return l.splitPath()
	}
	if l.Kind != InBucket || l.Key != "" || l.Prefix != "" {
		return "", "", argument.Invalid("location must be a bucket without a key", AddressHint)
	}
	if l.Scheme != "file" {
		return l.Scheme + "://" + l.Parameters(), l.Host, nil
	}

	// A bucket of the scheme file is a subdirectory of the account.
	parent, last := path.Split(strings.TrimRight(l.Dir, "/"))
	if last == "" {
		return "", "", argument.Invalid("address must not be the root directory", "")
	}
	bucket, err = url.PathUnescape(last)
	if err != nil {
		return "", "", argument.Invalid(`address must have two hexadecimal digits after each "%"`, "")
	}
	return "file://" + l.Host + parent + l.Parameters(), bucket, nil
}

// splitPath splits a path into the address of its directory, which is the account, and its last name,
// which is the bucket. Neither needs to exist.
func (l Location) splitPath() (address, bucket string, err error) {
	if !strings.ContainsAny(l.Path, `/\`) {
		// This is probably the name of a location whose colon was forgotten.
		return "", "", &storage.Error{
			Code: storage.InvalidArgument,
			Key:  l.Path,
			Err:  ErrNotInBucket,
			Hint: "write a bucket as s3://" + l.Path + ", and the path of a directory as ./" + l.Path,
		}
	}
	entry, err := l.AsEntry()
	if err != nil {
		return "", "", err
	}
	return entry.Address(), strings.TrimSuffix(entry.Key, "/"), nil
}

// WithDefault returns the location with a parameter in its address, unless the address already has that parameter.
func (l Location) WithDefault(parameter, value string) Location {
	for pair := range strings.SplitSeq(l.Query, "&") {
		if name, _, _ := strings.Cut(pair, "="); name == parameter {
			return l
		}
	}
	if l.Query != "" {
		l.Query += "&"
	}
	l.Query += parameter + "=" + url.QueryEscape(value)
	return l
}

const wildcards = "*?["

// IsFolder reports whether the key is empty or ends in a slash.
func (l Location) IsFolder() bool { return l.Key == "" || strings.HasSuffix(l.Key, "/") }

// AsFolder returns a key with a slash at its end: "photos" becomes "photos/".
func AsFolder(key string) string {
	if key == "" || strings.HasSuffix(key, "/") {
		return key
	}
	return key + "/"
}

// ErrNotInBucket is the error of a location that must be in a bucket but is a path.
var ErrNotInBucket = errors.New("location must be in a bucket")
