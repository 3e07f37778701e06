package main

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// checkPath refuses a path that is the name of a location, and of no file.
func (p *program) checkPath(path string) error {
	if !nameForm.MatchString(path) {
		return nil
	}
	if _, known := p.lookupLocation(variableOf(path)); !known {
		return nil
	}
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	return invalid(path+" must end in \":\" to be the name of a location", "write "+path+": for the location, or ./"+path+" for a file")
}

// asBucket returns the location of a path: a directory is a bucket, and a file is an object
// in the bucket of its directory. The part of a missing path with wildcards is a key.
func (l location) asBucket() (location, error) {
	if isDirectory(l.path) {
		return l.inDirectory(l.path, "")
	}
	dir, key := splitWildcards(filepath.Clean(l.path))
	exact := key == "" // of a file, whose name may have such characters
	if exact {
		dir, key = filepath.Split(filepath.Clean(l.path))
	}
	if dir == "" {
		dir = "."
	}
	if endsAsFolder(l.path) {
		key = asFolder(key)
	}
	in, err := l.inDirectory(dir, filepath.ToSlash(key))
	in.hasWildcard = in.hasWildcard && !exact
	return in, err
}

// asEntry returns the location of a path in the bucket of its parent directory: a directory
// is a folder.
func (l location) asEntry() (location, error) {
	path, err := filepath.Abs(l.path)
	if err != nil {
		return l, err
	}
	key := filepath.Base(path)
	if isDirectory(path) || endsAsFolder(l.path) {
		key = asFolder(key)
	}
	in, err := l.inDirectory(filepath.Dir(path), key)
	in.hasWildcard = false // it is the name of a file
	return in, err
}

// splitWildcards splits a path before its first element with a wildcard. The key is "" if
// there is none, or if a file has this name.
func splitWildcards(path string) (dir, key string) {
	if _, err := os.Lstat(path); err == nil {
		return path, ""
	}
	elements := strings.Split(filepath.ToSlash(path), "/")
	for i, element := range elements {
		if strings.ContainsAny(element, wildcards) {
			dir = strings.Join(elements[:i], "/")
			if i > 0 && dir == "" {
				dir = "/"
			}
			return filepath.FromSlash(dir), strings.Join(elements[i:], "/")
		}
	}
	return path, ""
}

// inDirectory returns the location of a key in a directory as a bucket.
func (l location) inDirectory(dir, key string) (location, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return l, err
	}
	u := url.URL{Path: "/" + strings.TrimPrefix(filepath.ToSlash(absolute), "/")}
	return location{kind: inBucket, path: l.path, scheme: "file", dir: u.EscapedPath(), key: key, hasWildcard: strings.ContainsAny(key, wildcards)}, nil
}

// addressWithKey returns the whole address of a location in a bucket.
func (l location) addressWithKey() string {
	return l.addressWith((&url.URL{Path: l.prefix + l.key}).EscapedPath())
}

// addressWith returns the address with an escaped key.
func (l location) addressWith(key string) string {
	switch {
	case key == "":
		return l.address()
	case l.scheme == "file":
		return l.address() + "#" + key
	}
	return l.scheme + "://" + l.host + "/" + key + l.parameters()
}

// endsAsFolder reports whether a path ends in a separator, or in "." or "..".
func endsAsFolder(path string) bool {
	base := path
	for i := len(path) - 1; i >= 0; i-- {
		if os.IsPathSeparator(path[i]) {
			base = path[i+1:]
			break
		}
	}
	return base == "" || base == "." || base == ".."
}

// isDots reports whether a path ends in "." or "..", which do not show what directory they are.
func isDots(path string) bool {
	path = strings.TrimRightFunc(path, func(r rune) bool { return r < utf8.RuneSelf && os.IsPathSeparator(byte(r)) })
	return path != "" && endsAsFolder(path)
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
