package location

import (
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode/utf8"
)

// AsBucket returns the location of a path: a directory is a bucket, and a file is an object
// in the bucket of its directory. The part of a missing path with wildcards is a key.
func (l Location) AsBucket() (Location, error) {
	if IsDirectory(l.Path) {
		return l.InDirectory(l.Path, "")
	}
	dir, key := splitWildcards(filepath.Clean(l.Path))
	exact := key == "" // no wildcards, or a file whose name has such characters
	if exact {
		dir, key = filepath.Split(filepath.Clean(l.Path))
	}
	if dir == "" {
		dir = "."
	}
	if EndsAsFolder(l.Path) {
		key = AsFolder(key)
	}
	in, err := l.InDirectory(dir, filepath.ToSlash(key))
	in.HasWildcard = in.HasWildcard && !exact
	return in, err
}

// AsEntry returns the location of a path in the bucket of its parent directory: a directory
// is a folder.
func (l Location) AsEntry() (Location, error) {
	path, err := filepath.Abs(l.Path)
	if err != nil {
		return l, err
	}
	key := filepath.Base(path)
	if IsDirectory(path) || EndsAsFolder(l.Path) {
		key = AsFolder(key)
	}
	in, err := l.InDirectory(filepath.Dir(path), key)
	in.HasWildcard = false // it is the name of a file
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

// InDirectory returns the location of a key in a directory as a bucket.
func (l Location) InDirectory(dir, key string) (Location, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return l, err
	}
	u := url.URL{Path: "/" + strings.TrimPrefix(filepath.ToSlash(absolute), "/")}
	return Location{
		Kind: InBucket, Path: l.Path, Scheme: "file", Dir: u.EscapedPath(), Key: key,
		HasWildcard: strings.ContainsAny(key, wildcards),
	}, nil
}

// Directory returns the path of the directory that a location names; "" if it names none.
func (l Location) Directory() string {
	if l.Scheme != "file" {
		return l.Path
	}
	dir, err := url.PathUnescape(l.Dir)
	if err != nil {
		return ""
	}
	if runtime.GOOS == "windows" {
		dir = strings.TrimPrefix(dir, "/")
	}
	return filepath.FromSlash(dir)
}

// AddressWithKey returns the whole address of a location in a bucket.
func (l Location) AddressWithKey() string {
	return l.AddressWith((&url.URL{Path: l.Prefix + l.Key}).EscapedPath())
}

// AddressWith returns the address with an escaped key.
func (l Location) AddressWith(key string) string {
	switch {
	case key == "":
		return l.Address()
	case l.Scheme == "file":
		return l.Address() + "#" + key
	}
	return l.Scheme + "://" + l.Host + "/" + key + l.Parameters()
}

// EndsAsFolder reports whether a path ends in a separator, or in "." or "..".
func EndsAsFolder(path string) bool {
	base := path
	for i := len(path) - 1; i >= 0; i-- {
		if os.IsPathSeparator(path[i]) {
			base = path[i+1:]
			break
		}
	}
	return base == "" || base == "." || base == ".."
}

// IsDots reports whether a path ends in "." or "..", which do not show what directory they are.
func IsDots(path string) bool {
	path = strings.TrimRightFunc(path, func(r rune) bool { return r < utf8.RuneSelf && os.IsPathSeparator(byte(r)) })
	return path != "" && EndsAsFolder(path)
}

// IsDirectory reports whether a path is that of a directory.
func IsDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
