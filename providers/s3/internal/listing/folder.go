// Package listing finds out where MinIO's pages of a listing begin, and lists folder by folder what such a
// page may leave out. Start at [After].
package listing

import (
	"strings"

	"github.com/omnibucket/storage/driver"
)

// InFolder reports whether key begins with prefix and contains a "/" after the last "/" of prefix.
func InFolder(prefix, key string) bool {
	return strings.HasPrefix(key, prefix) && strings.Contains(key[strings.LastIndex(prefix, "/")+1:], "/")
}

// After calls list for the keys that follow the given key, until list has found an entry. It
// goes folder by folder. After the key "a/b/c", the first call is for the rest of the folder
// "a/b/". The next calls are for the rest of the folder "a/" after "a/b/", and so on, up to the
// folder of r.Prefix.
func After(r *driver.ListRequest, key string, list func(prefix, after string) (ok bool, err error)) error {
	base := strings.LastIndex(r.Prefix, "/") + 1
	for {
		end := strings.LastIndex(key, "/") + 1 // end of the folder's name
		if r.Delimiter != "" && end > base {
			// With a delimiter, the outermost folder is one entry. Continue after this folder.
			end = base + strings.Index(key[base:], "/") + 1
		} else if ok, err := list(max(key[:end], r.Prefix), key); ok || err != nil {
			// One argument of max is a prefix of the other, and max returns the longer one.
			return err
		}
		if end <= base {
			return nil
		}
		key = key[:end-1] + "0" // "0" follows "/"
		if ok, err := list(key, ""); ok || err != nil {
			return err
		}
	}
}
