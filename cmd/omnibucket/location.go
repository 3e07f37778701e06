package main

import (
	"net/url"
	"path"
	"regexp"
	"runtime"
	"strings"

	"github.com/omnibucket/storage"
)

// A kind is the kind of a location.
type kind int

const (
	inBucket  kind = iota // an object, a folder, or a whole bucket
	localPath             // a path
	stream                // standard input or output
	account               // an address without a bucket
)

// A location is a parsed argument.
type location struct {
	kind kind
	path string // of a localPath

	scheme, host, dir, query string // as in the address, escaped; dir only for file:
	prefix                   string // the folder of all keys of a name: "" or ending in "/"
	key                      string // as in the bucket
	hasWildcard              bool   // the key has wildcards, unless --literal is set
	pattern                  string // of a key of an address with wildcards, or ""
}

var (
	addressForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)
	schemeForm  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:/`)
	nameForm    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)
)

const (
	addressHint = "use an address: scheme://bucket/key, file:///absolute/directory#key, or name:key with OMNIBUCKET_NAME set"
	nameHint    = "add it with \"omnibucket config add\", or set the variable"
	pathHint    = "write the path of a file as ./name:key"
)

// parseLocation parses an argument. lookup reads the environment. Errors do not quote
// the argument, because it may contain credentials.
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
		return location{}, invalid(variableOf(name)+" is not set, and the configuration has no location "+name, nameHint+"; "+pathHint)
	}
	return location{}, invalid(`location must have a name of letters, digits, "-" and "_" before its ":"`, addressHint+"; "+pathHint)
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

// variableOf returns the environment variable that holds the address of a name.
func variableOf(name string) string {
	return "OMNIBUCKET_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// parseName returns the location of a literal key at an address in the environment.
// Errors do not quote the address, because it may contain credentials.
func parseName(name, address, key string) (location, error) {
	if !addressForm.MatchString(address) {
		return location{}, invalid(variableOf(name)+" must hold an address", addressHint)
	}
	l, err := parseAddress(address)
	switch {
	case err != nil:
		return location{}, err
	case l.kind == account && key != "":
		return location{}, invalid(variableOf(name)+" must hold an address with a bucket to be used with a key", "")
	}
	if l.key != "" {
		l.prefix = asFolder(l.key)
	}
	l.key, l.hasWildcard, l.pattern = key, strings.ContainsAny(key, wildcards), ""
	return l, nil
}

// parseAddress splits an address and its key. storage.Open checks the rest.
func parseAddress(text string) (location, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	l := location{scheme: strings.ToLower(scheme)}
	rest, fragment, hasFragment := strings.Cut(rest, "#")
	rest, l.query, _ = strings.Cut(rest, "?")
	host, escaped, _ := strings.Cut(rest, "/")
	l.host = host
	switch {
	case strings.Contains(host, "@"):
		return location{}, invalid("address must not hold credentials", "set the provider's own environment variables, or use its files")
	case l.scheme == "file":
		l.dir, escaped = strings.TrimPrefix(rest, host), fragment
	case hasFragment:
		return location{}, invalid(`address must not have a "#"`, `write "#" in a key as %23`)
	case host == "" && escaped == "":
		l.kind = account
	case host == "":
		return location{}, invalid("address with a key must have a bucket", addressHint)
	}
	key, err := url.PathUnescape(escaped)
	if err != nil {
		return location{}, invalid(`address must have two hexadecimal digits after each "%"`, `write "%" in a key as %25`)
	}
	l.key, l.hasWildcard = key, strings.ContainsAny(escaped, wildcards)
	if l.hasWildcard {
		l.pattern = patternOf(escaped, true)
	}
	return l, nil
}

// address returns the address without its key, for storage.Open.
func (l location) address() string { return l.scheme + "://" + l.host + l.dir + l.parameters() }

func (l location) parameters() string {
	if l.query == "" {
		return ""
	}
	return "?" + l.query
}

// splitQuery returns the parameters of a query.
func splitQuery(query string) []string {
	return strings.FieldsFunc(query, func(r rune) bool { return r == '&' })
}

// splitAccount returns the account's address, for storage.OpenService, and the
// bucket's name in the account.
func (l location) splitAccount() (address, bucket string, err error) {
	if l.path != "" { // a directory of this machine, which may not exist yet
		if !strings.ContainsAny(l.path, `/\`) { // probably a name without its colon
			return "", "", &storage.Error{Code: storage.InvalidArgument, Key: l.path, Err: errNotInBucket, Hint: "write the path of a directory as ./name"}
		}
		if l, err = l.asEntry(); err != nil {
			return "", "", err
		}
		return l.address(), strings.TrimSuffix(l.key, "/"), nil
	}
	if l.kind != inBucket || l.key != "" || l.prefix != "" {
		return "", "", invalid("location must be a bucket without a key", addressHint)
	}
	if l.scheme != "file" {
		return l.scheme + "://" + l.parameters(), l.host, nil
	}
	parent, last := path.Split(strings.TrimRight(l.dir, "/"))
	if last == "" {
		return "", "", invalid("address must not be the root directory", "")
	}
	bucket, err = url.PathUnescape(last)
	if err != nil {
		return "", "", invalid(`address must have two hexadecimal digits after each "%"`, "")
	}
	return "file://" + l.host + parent + l.parameters(), bucket, nil
}

// withDefault returns a location whose address has a parameter, unless it already has one.
func (l location) withDefault(parameter, value string) location {
	for pair := range strings.SplitSeq(l.query, "&") {
		if name, _, _ := strings.Cut(pair, "="); name == parameter {
			return l
		}
	}
	if l.query != "" {
		l.query += "&"
	}
	l.query += parameter + "=" + url.QueryEscape(value)
	return l
}

const wildcards = "*?["

// isFolder reports whether the key is a prefix.
func (l location) isFolder() bool { return l.key == "" || strings.HasSuffix(l.key, "/") }

// asFolder returns a key as a folder: "photos" becomes "photos/".
func asFolder(key string) string {
	if key == "" || strings.HasSuffix(key, "/") {
		return key
	}
	return key + "/"
}

// locate parses an argument of any kind. Flags add parameters to its address.
func (p *program) locate(text string) (location, error) {
	l, err := parseLocation(text, p.lookupLocation)
	if err != nil {
		return l, err
	}
	if l.kind == localPath {
		return l, p.checkPath(text)
	}
	return p.global.withParameters(l), nil
}

// locateInBucket parses an argument that must be in a bucket. A directory of this machine is
// a bucket, too.
func (p *program) locateInBucket(text string) (location, error) {
	l, err := p.locate(text)
	switch {
	case err != nil:
		return l, err
	case l.kind == account:
		return l, invalid("address must have a bucket", addressHint)
	case l.kind == localPath:
		return l.asBucket()
	case l.kind == inBucket:
		return l, nil
	}
	return l, &storage.Error{Code: storage.InvalidArgument, Key: text, Err: errNotInBucket, Hint: addressHint}
}

// locateEntry is locateInBucket, but a directory of this machine is a folder in the bucket of
// its parent directory, so that a command applies to the directory itself.
func (p *program) locateEntry(text string) (location, error) {
	l, err := p.locate(text)
	if err == nil && l.kind == localPath && !l.isWild() {
		return l.asEntry()
	}
	return p.locateInBucket(text)
}
