package main

import (
	"net/url"
	"path"
	"regexp"
	"runtime"
	"strings"

	"github.com/omnibucket/storage"
)

// A kind says what a location is of.
type kind int

const (
	inBucket  kind = iota // an object, a folder, or a whole bucket
	localPath             // a path
	stream                // standard input or output
	account               // an address without a bucket
)

// A location is where an argument points.
type location struct {
	kind kind
	path string // onMachine

	scheme, host, dir, query string // as the address has them, escaped; dir is file:'s alone
	prefix                   string // the folder that all keys of a name are in: "" or ending in "/"
	key                      string // as the bucket has it
	hasWildcard              bool   // the key is written with what other programs take for wildcards
}

var (
	addressForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)
	schemeForm  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:/`)
	nameForm    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)
)

const (
	addressHint = "an address is scheme://bucket/key, file:///absolute/directory#key, or name:key with OMNIBUCKET_NAME set"
	pathHint    = "write the path of a file as ./name:key"
)

// parseLocation reads an argument. lookup tells the environment, for names. It does not
// quote the argument in an error, because it may hold credentials.
func parseLocation(text string, lookup func(string) (string, bool)) (location, error) {
	switch {
	case text == "":
		return location{}, invalid("location must not be empty", addressHint)
	case text == "-":
		return location{kind: stream}, nil
	case addressForm.MatchString(text):
		return parseAddress(text)
	}
	name, key, ok := cutName(text, runtime.GOOS == "windows")
	if !ok {
		return location{kind: localPath, path: text}, nil
	}
	named := nameForm.MatchString(name)
	if named {
		if address, set := lookup(variableOf(name)); set {
			return parseName(name, address, key)
		}
	}
	switch {
	case schemeForm.MatchString(text):
		return location{}, invalid("address must have two slashes after its scheme", addressHint+"; "+pathHint)
	case named:
		return location{}, invalid(variableOf(name)+" is not set", addressHint+"; "+pathHint)
	}
	return location{}, invalid(`location must have a name of letters, digits, "-" and "_" before its ":"`, addressHint+"; "+pathHint)
}

// cutName reads a location that could be name:key: one with a colon before its first
// slash. On Windows a single letter is a drive.
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

// variableOf is the environment variable that holds the address of a name.
func variableOf(name string) string {
	return "OMNIBUCKET_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// parseName is a key, taken literally, under an address of the environment. It
// does not quote the address: it is not for this program to print.
func parseName(name, address, key string) (location, error) {
	if !addressForm.MatchString(address) {
		return location{}, invalid(variableOf(name)+" must hold an address", addressHint)
	}
	l, err := parseAddress(address)
	switch {
	case err != nil:
		return location{}, err
	case l.kind == account && key != "":
		return location{}, invalid(variableOf(name)+" holds an address without a bucket, which has no keys", "")
	}
	if l.key != "" {
		l.prefix = asFolder(l.key)
	}
	l.key, l.hasWildcard = key, strings.ContainsAny(key, wildcards)
	return l, nil
}

// parseAddress takes the key off an address. What the rest may be, storage.Open
// knows.
func parseAddress(text string) (location, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	l := location{scheme: strings.ToLower(scheme)}
	rest, fragment, hasFragment := strings.Cut(rest, "#")
	rest, l.query, _ = strings.Cut(rest, "?")
	host, escaped, _ := strings.Cut(rest, "/")
	l.host = host
	switch {
	case strings.Contains(host, "@"):
		return location{}, invalid("address must not hold credentials", "they come from the provider's own environment variables and files")
	case l.scheme == "file":
		l.dir, escaped = strings.TrimPrefix(rest, host), fragment
	case hasFragment:
		return location{}, invalid(`address must not have a "#"`, `in a key, "#" is written %23`)
	case host == "" && escaped == "":
		l.kind = account
	case host == "":
		return location{}, invalid("address has a key, but no bucket", addressHint)
	}
	key, err := url.PathUnescape(escaped)
	if err != nil {
		return location{}, invalid(`address has a "%" that begins no escape`, `in a key, "%" is written %25`)
	}
	l.key, l.hasWildcard = key, strings.ContainsAny(escaped, wildcards)
	return l, nil
}

// address is the location's without its key, for storage.Open.
func (l location) address() string { return l.scheme + "://" + l.host + l.dir + l.parameters() }

func (l location) parameters() string {
	if l.query == "" {
		return ""
	}
	return "?" + l.query
}

// splitAccount is the address, for storage.OpenService, of the account that the
// bucket is in, and the bucket's name there.
func (l location) splitAccount() (address, bucket string, err error) {
	if l.kind != inBucket || l.key != "" || l.prefix != "" {
		return "", "", invalid("location must be a whole bucket, without a key", addressHint)
	}
	if l.scheme != "file" {
		return l.scheme + "://" + l.parameters(), l.host, nil
	}
	parent, last := path.Split(strings.TrimRight(l.dir, "/"))
	if last == "" {
		return "", "", invalid("address must name a directory below another", "")
	}
	bucket, err = url.PathUnescape(last)
	if err != nil {
		return "", "", invalid(`address has a "%" that begins no escape`, "")
	}
	return "file://" + l.host + parent + l.parameters(), bucket, nil
}

const wildcards = "*?[" // no command expands them

// isFolder reports whether the key is a prefix.
func (l location) isFolder() bool { return l.key == "" || strings.HasSuffix(l.key, "/") }

// asFolder is a key taken as a folder: "photos" means "photos/".
func asFolder(key string) string {
	if key == "" || strings.HasSuffix(key, "/") {
		return key
	}
	return key + "/"
}

// locate reads an argument that may be of any kind.
func (p *program) locate(text string) (location, error) { return parseLocation(text, p.lookup) }

// locateInBucket reads an argument that has to be in a bucket.
func (p *program) locateInBucket(text string) (location, error) {
	l, err := p.locate(text)
	switch {
	case err != nil:
		return l, err
	case l.kind == account:
		return l, invalid("address names no bucket", addressHint)
	case l.kind == inBucket:
		return l, nil
	}
	return l, &storage.Error{Code: storage.InvalidArgument, Key: text, Err: errNotInBucket, Hint: addressHint}
}
