package location

import (
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode/utf8"

	"github.com/omnibucket/storage/internal/localfile"
)

// AsBucket returns the location of a path in a bucket. A directory is a bucket, and a file is an
// object in the bucket of its directory. If the path does not exist but has wildcards, the bucket
// is the folder before the first wildcard. The key is the rest of the path.
func (l Location) AsBucket() (Location, error) {
	if IsDirectory(l.Path) {
		return l.InDirectory(l.Path, "")
	}
	dir, key := splitWildcards(filepath.Clean(l.Path))
	// exact is true if the path has no wildcards, or a file has this name.
	exact := key == ""
	if exact {
		dir, key = filepath.Split(filepath.Clean(l.Path))
	}
	if dir == "" {
		dir = "."
	}
	if EndsAsFolder(l.Path) {
		key = AsFolder(key)
	}
	loc, err := l.InDirectory(dir, filepath.ToSlash(key))
	loc.HasWildcard = loc.HasWildcard && !exact
	return loc, err
}

// AsEntry returns the location of a path. The bucket is the parent directory of the path. If the
// path is a directory, the location is a folder in the bucket.
func (l Location) AsEntry() (Location, error) {
	path, err := filepath.Abs(l.Path)
	if err != nil {
		return l, err
	}
	key := filepath.Base(path)
	if IsDirectory(path) || EndsAsFolder(l.Path) {
		key = AsFolder(key)
	}
	loc, err := l.InDirectory(filepath.Dir(path), key)
	// Characters such as "*" are literal here.
	loc.HasWildcard = false
	return loc, err
}

// splitWildcards splits a path before its first element with a wildcard. The key is "" if the path has no wildcard. It
// is also "" if a file has exactly this path, with the wildcard as part of its name.
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

// InDirectory returns the location of a key, with a directory as the bucket.
func (l Location) InDirectory(dir, key string) (Location, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return l, err
	}
	u := url.URL{Path: "/" + strings.TrimPrefix(filepath.ToSlash(absolute), "/")}
	return Location{
		Kind:        InBucket,
		Path:        l.Path,
		Scheme:      "file",
		Dir:         u.EscapedPath(),
		Key:         key,
		HasWildcard: strings.ContainsAny(key, wildcards),
	}, nil
}

// Directory returns the path of the directory that a location names. If it names none, the result
// is "".
func (l Location) Directory() string {
	if l.Scheme != "file" {
		return l.Path
	}
	dir, err := url.PathUnescape(l.Dir)
	if err != nil {
		return ""
	}
	return localfile.FromURL(dir, runtime.GOOS == "windows")
}

// AddressWithKey returns the address of a location in a bucket, including its prefix and key.
func (l Location) AddressWithKey() string {
	return l.AddressWith((&url.URL{Path: l.Prefix + l.Key}).EscapedPath())
}

// AddressWith returns the address of a location with another key, which must be escaped. In an address of a directory,
// the key follows a "#".
func (l Location) AddressWith(key string) string {
	if key == "" {
		return l.Address()
	}
	if l.Scheme == "file" {
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

// IsDots reports whether a path ends in "." or "..". Such a path does not contain the directory's
// name.
func IsDots(path string) bool {
	path = strings.TrimRightFunc(path, func(r rune) bool { return r < utf8.RuneSelf && os.IsPathSeparator(byte(r)) })
	return path != "" && EndsAsFolder(path)
}

// IsDirectory reports whether a path names a directory that exists.
func IsDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
