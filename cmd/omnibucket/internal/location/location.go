// Package location parses arguments that name objects, folders, buckets and files, and their wildcards.
package location

import (
	"net/url"
	"path"
	"regexp"
	"runtime"
	"strings"

	"github.com/omnibucket/storage"

	"errors"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
)

// A kind is the kind of a location.
type kind int

const (
	InBucket  kind = iota // an object, a folder, or a whole bucket
	LocalPath             // a path
	Stream                // standard input or output
	Account               // an address without a bucket
)

// A Location is a parsed argument.
type Location struct {
	Kind kind
	Path string // of a LocalPath
	Name string // by which the address was found, or ""

	InAccount bool // whether the address of Name is an account's, and the argument names the bucket

	Scheme, Host, Dir, Query string // as in the address, escaped; dir only for file:
	Prefix                   string // the folder of all keys of a name: "" or ending in "/"
	Key                      string // as in the bucket
	HasWildcard              bool   // the key has wildcards, unless --literal is set
	Pattern                  string // of a key of an address with wildcards, or ""
}

var (
	AddressForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)
	schemeForm  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:/`)
	NameForm    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)
)

const (
	AddressHint = "use an address: scheme://bucket/key, file:///absolute/directory#key, or name:key with OMNIBUCKET_NAME set"
	nameHint    = "add it with \"omnibucket config add\", or set the variable"
	PathHint    = "write the path of a file as ./name:key"
)

// Parse parses an argument. lookup reads the environment. Errors do not quote
// the argument, because it may contain credentials.
func Parse(text string, lookup func(string) (string, bool)) (Location, error) {
	switch {
	case text == "":
		return Location{}, argument.Invalid("location must not be empty", AddressHint)
	case text == "-":
		return Location{Kind: Stream}, nil
	case AddressForm.MatchString(text):
		return ParseAddress(text)
	}
	name, key, ok := cutName(text, runtime.GOOS == "windows")
	if !ok {
		return Location{Kind: LocalPath, Path: text}, nil
	}
	named := NameForm.MatchString(name)
	if named {
		if address, set := lookup(VariableOf(name)); set {
			return parseName(name, address, key)
		}
	}
	switch {
	case schemeForm.MatchString(text):
		return Location{}, argument.Invalid("address must have two slashes after its scheme", AddressHint+"; "+PathHint)
	case named:
		return Location{}, argument.Invalid(
			VariableOf(name)+" is not set, and the configuration has no location "+name, nameHint+"; "+PathHint,
		)
	}
	return Location{}, argument.Invalid(
		`location must have a name of letters, digits, "-" and "_" before its ":"`,
		AddressHint+"; "+PathHint,
	)
}

// cutName splits an argument that may be name:key: it has a colon before its first
// slash. On Windows, a single letter is a drive.
func cutName(text string, windows bool) (name, key string, ok bool) {
	name, key, ok = strings.Cut(text, ":")
	switch {
	case !ok, strings.ContainsRune(name, '/'):
		return "", "", false
	case windows && (len(name) == 1 || strings.ContainsRune(name, '\\')):
		return "", "", false
	}
	return name, key, true
}

// VariableOf returns the environment variable that holds the address of a name.
func VariableOf(name string) string {
	return "OMNIBUCKET_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// parseName returns the location of a literal key at the address of a name. If that is an account, the
// bucket stands before the key, as in "all:bucket/key". Errors do not quote the address, because it may
// contain credentials.
func parseName(name, address, key string) (Location, error) {
	if !AddressForm.MatchString(address) {
		return Location{}, argument.Invalid("location "+name+" must have an address",
			"correct "+VariableOf(name)+", or the configuration; "+AddressHint)
	}
	l, err := ParseAddress(address)
	switch {
	case err != nil:
		return Location{}, err
	case l.Kind == Account && key != "":
		l.Host, key, _ = strings.Cut(key, "/")
		l.Kind, l.InAccount = InBucket, true
		if l.Host == "" || strings.ContainsAny(l.Host, wildcards+"#%") {
			return Location{}, argument.Invalid("location "+name+
				" is an account: the name of a bucket must follow its colon",
				"write "+name+":bucket/key; \"omnibucket ls "+name+":\" lists the buckets")
		}
	}
	if l.Key != "" {
		l.Prefix = AsFolder(l.Key)
	}
	l.Name, l.Key, l.HasWildcard, l.Pattern = name, key, strings.ContainsAny(key, wildcards), ""
	return l, nil
}

// ParseAddress splits an address and its key. storage.Open checks the rest.
func ParseAddress(text string) (Location, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	l := Location{Scheme: strings.ToLower(scheme)}
	rest, fragment, hasFragment := strings.Cut(rest, "#")
	rest, l.Query, _ = strings.Cut(rest, "?")
	host, escaped, _ := strings.Cut(rest, "/")
	l.Host = host
	switch {
	case strings.Contains(host, "@"):
		return Location{}, argument.Invalid(
			"address must not hold credentials", "set the provider's own environment variables, or use its files",
		)
	case l.Scheme == "file":
		l.Dir, escaped = strings.TrimPrefix(rest, host), fragment
	case hasFragment:
		return Location{}, argument.Invalid(`address must not have a "#"`, `write "#" in a key as %23`)
	case host == "" && escaped == "":
		l.Kind = Account
	case host == "":
		return Location{}, argument.Invalid("address with a key must have a bucket", AddressHint)
	}
	key, err := url.PathUnescape(escaped)
	if err != nil {
		return Location{}, argument.Invalid(
			`address must have two hexadecimal digits after each "%"`,
			`write "%" in a key as %25`,
		)
	}
	l.Key, l.HasWildcard = key, strings.ContainsAny(escaped, wildcards)
	if l.HasWildcard {
		l.Pattern = PatternOf(escaped, true)
	}
	return l, nil
}

// Address returns the address without its key, for storage.Open.
func (l Location) Address() string { return l.Scheme + "://" + l.Host + l.Dir + l.Parameters() }

// Parameters returns the parameters of the address, with their "?".
func (l Location) Parameters() string {
	if l.Query == "" {
		return ""
	}
	return "?" + l.Query
}

// SplitAccount returns the account's address, for storage.OpenService, and the
// bucket's name in the account.
func (l Location) SplitAccount() (address, bucket string, err error) {
	if l.Path != "" { // a directory of this machine, which may not exist yet
		if !strings.ContainsAny(l.Path, `/\`) { // probably a name without its colon
			return "", "", &storage.Error{
				Code: storage.InvalidArgument, Key: l.Path, Err: ErrNotInBucket,
				Hint: "write the path of a directory as ./name",
			}
		}
		if l, err = l.AsEntry(); err != nil {
			return "", "", err
		}
		return l.Address(), strings.TrimSuffix(l.Key, "/"), nil
	}
	if l.Kind != InBucket || l.Key != "" || l.Prefix != "" {
		return "", "", argument.Invalid("location must be a bucket without a key", AddressHint)
	}
	if l.Scheme != "file" {
		return l.Scheme + "://" + l.Parameters(), l.Host, nil
	}
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

// WithDefault returns a location whose address has a parameter, unless it already has one.
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

// IsFolder reports whether the key is a prefix.
func (l Location) IsFolder() bool { return l.Key == "" || strings.HasSuffix(l.Key, "/") }

// AsFolder returns a key as a folder: "photos" becomes "photos/".
func AsFolder(key string) string {
	if key == "" || strings.HasSuffix(key, "/") {
		return key
	}
	return key + "/"
}

// ErrNotInBucket is the reason for which a location without an address is refused.
var ErrNotInBucket = errors.New("argument must be an address")
