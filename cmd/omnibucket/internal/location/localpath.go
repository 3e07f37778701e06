package location

import (
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/omnibucket/storage/internal/localfile"
)

// AsBucket returns the location of a path in a bucket. A directory is the bucket itself, a file is an
// object in the bucket of its directory, and wildcards are a key in the directory before them.
func (l Location) AsBucket() (Location, error) {
	if IsDirectory(l.Path) {
		return l.InDirectory(l.Path, "")
	}

	path := filepath.Clean(l.Path)
	dir, key := splitWildcards(path)
	isFile := key == ""
	if isFile {
		dir, key = filepath.Split(path)
	}
	if dir == "" {
		dir = "."
	}
	if EndsAsFolder(l.Path) {
		key = AsFolder(key)
	}

	loc, err := l.InDirectory(dir, filepath.ToSlash(key))
	if isFile {
		// Characters such as "*" in the name of a file are literal.
		loc.HasWildcard = false
	}
	return loc, err
}

// AsEntry returns the location of a local path in its parent directory, which then counts as the
// bucket. If the path is a directory, the location is a folder in that bucket.
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

// splitWildcards splits a path before its first element with a wildcard: "a/b*/c" becomes "a" and "b*/c". The key is ""
// if the path has no wildcard, or if a file has exactly this path.
func splitWildcards(path string) (dir, key string) {
	if _, err := os.Lstat(path); err == nil {
		return path, ""
	}

	elements := strings.Split(filepath.ToSlash(path), "/")
	i := slices.IndexFunc(elements, func(element string) bool {
		return strings.ContainsAny(element, wildcards)
	})
	if i < 0 {
		return path, ""
	}
	dir = strings.Join(elements[:i], "/")
	// In an absolute path such as "/a*", the empty element before the first slash is the root.
	isRoot := i > 0 && dir == ""
	if isRoot {
		dir = "/"
	}
	return filepath.FromSlash(dir), strings.Join(elements[i:], "/")
}

// InDirectory returns the location of a key in the directory dir, which then counts as a bucket.
func (l Location) InDirectory(dir, key string) (Location, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return l, err
	}
	// The path of a URL begins with a slash, also on Windows, where absolute begins with a drive.
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

// Directory returns the path of the directory that a location names, or "" if it names none.
func (l Location) Directory() string {
	if l.Scheme != "file" {
		return l.Path // "" unless l is a local path
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

// AddressWith returns the address of a location with another key, which must be escaped. For a directory, the key
// follows a "#".
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
