// Package listing finds out where MinIO's pages of a listing begin, and lists folder by folder what such a
// page may leave out. Start at [After].
//
// # Pages by key
//
// MinIO writes a whole listing into a cache. MinIO's continuation tokens refer to this cache. The
// third page of a listing waits for the cache, for 50 to 300 ms, even if the listing has few pages.
// So the driver first requests pages by key: it sends the last key of the page before as
// start-after, and no token.
//
// For a page by key, the server reads its disks again. This is slow in a folder with very many
// keys. So after a slow page, the driver requests the next page by token. It also uses the token if
// the last key of the page before is in a subfolder.
//
// # Pages that leave out entries
//
// If a page begins after a key in a folder, MinIO may end the listing early or leave out entries,
// without an error. For such a page, each disk lists names until it has counted enough names. The
// disk also counts names outside of the folder, such as "a-b" beside "a/b". So the disk may stop
// although the folder has further keys.
//
// MinIO lists a page in this way if the request has a start-after. It does the same for a request
// with a token if its cache no longer has the page. A page leaves the cache after a restart, after
// some minutes, or if the disk is full. (In MinIO's source of 2025, WalkDir counts from ForwardTo,
// and listPath falls back to WalkDir.)
//
// After a key in a folder, the driver accepts only a page from the cache. The token of the next
// page shows if a page came from the cache. So the driver never accepts a last page. Instead of a
// page that it does not accept, the driver lists the remaining entries folder by folder. In a
// listing of one folder, MinIO counts no names outside of the folder.
package listing

import (
	"iter"
	"strings"

	"github.com/omnibucket/storage/driver"
)

// InFolder reports whether key begins with prefix and contains a "/" after the last "/" of prefix.
func InFolder(prefix, key string) bool {
	return strings.HasPrefix(key, prefix) && strings.Contains(key[strings.LastIndex(prefix, "/")+1:], "/")
}

// After returns an iterator over the listings that together have all keys after the given key, folder
// by folder. MinIO may leave out entries of a single listing after that key, but not of these. Each value
// is the prefix of a listing, and the key after which it begins.
//
// After the key "a/b/c", the first listing is of the rest of the folder "a/b/", and the next one of the
// rest of "a/" after "a/b/". It continues in this way up to the folder of r.Prefix.
func After(r *driver.ListRequest, key string) iter.Seq2[string, string] {
	return func(yield func(prefix, after string) bool) {
		// A folder is the beginning of a key up to a "/". The last one is the folder of the prefix.
		prefixFolderEnd := strings.LastIndex(r.Prefix, "/") + 1
		after := key
		for {
			folderEnd := strings.LastIndex(after, "/") + 1
			isOneEntry := r.Delimiter != "" && folderEnd > prefixFolderEnd
			if isOneEntry {
				// With a delimiter, the outermost folder is one entry. Continue after this folder.
				folderEnd = prefixFolderEnd + strings.Index(after[prefixFolderEnd:], "/") + 1
			} else {
				// One argument of max is a prefix of the other, and max returns the longer one.
				prefix := max(after[:folderEnd], r.Prefix)
				if !yield(prefix, after) {
					return
				}
			}
			if folderEnd <= prefixFolderEnd {
				return
			}

			// All keys in the folder "a/" come before "a0", because "0" follows "/". The next round begins
			// after the key "a0" and leaves it out, so list the keys that begin with it now.
			after = after[:folderEnd-1] + "0"
			if !yield(after, "") {
				return
			}
		}
	}
}
