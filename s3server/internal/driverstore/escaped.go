package driverstore

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/keyname"
)

// escapedNames holds the next escaped names in one folder, in S3's order (see [keyname.Mark]). They
// are names of objects and of inner folders.
type escapedNames struct {
	name, key  string // the driver's name and the S3 key of the folder
	startAfter string // S3 key of the last item that was shown; at first, the key after which the walk begins
	items      []escapedName
	hasMore    bool // true if the folder has further items, which the method fill reads later
}

// An escapedName is an object or a folder whose name is escaped. For a folder, entry is
// the first entry in the folder.
type escapedName struct {
	key, name string // the S3 key, and the driver's key for it; both end with a slash for a folder
	entry     listedEntry
}

// lastName sorts after every name in a folder, except names that begin with it. [keyname.Mark]
// followed by lastName sorts after every escaped name.
const lastName = "\U0010FFFF"

// maxName is the maximum length of a driver's key, in bytes.
const maxName = 1024

// listBefore reads the escaped segments of each folder that contains a name. It is called before
// the walk shows the name. In S3's order, some escaped segments come before the name. The driver
// may list them after the name.
func (w *nameWalk) listBefore(ctx context.Context, name, folder string, escaped bool) error {
	for end := len(w.name); end <= len(folder); {
		if end == len(folder) && escaped || name[end:] < keyname.Mark {
			if err := w.list(ctx, name[:end]); err != nil {
				return err
			}
		}
		i := strings.IndexByte(name[end:], '/')
		if i < 0 {
			break
		}
		end += i + 1
	}
	return nil
}

// list adds the escaped names in a folder to w.escaped. If the folder has more such names than a
// page needs, list adds only the names that come first in S3's order. A second call for the same
// folder does nothing.
func (w *nameWalk) list(ctx context.Context, folder string) error {
	if w.listed[folder] {
		return nil
	}
	n := &escapedNames{name: folder, key: w.key + folder[len(w.name):], startAfter: w.startAfter}
	if n.startAfter >= n.key && !strings.HasPrefix(n.startAfter, n.key) {
		return nil // all keys of the folder precede the start of the walk
	}
	w.listed[folder] = true
	if err := w.fill(ctx, n); err != nil {
		return err
	}
	if len(n.items) > 0 {
		w.escaped = append(w.escaped, n)
	}
	return nil
}

// fill reads the next escaped segments of a folder into n.items. It keeps at most one segment more
// than a page can have.
func (w *nameWalk) fill(ctx context.Context, n *escapedNames) error {
	n.items = nil
	n.hasMore = false
	r := &driver.ListRequest{Prefix: n.name + keyname.Mark}
	if w.versions == nil || w.canSeek {
		r.Delimiter = "/"
	}
	if n.name == w.name {
		last := strings.TrimRight(w.last(), ".")
		if i := strings.IndexRune(last, utf8.RuneError); i >= 0 {
			last = last[:i] // the prefix may end within a character
		}
		r.Prefix += keyname.EscapeText(last, false)
	}
	return w.eachName(ctx, r, func(e *listedEntry) (bool, error) {
		name := e.Key
		isFolder := false
		if i := strings.IndexByte(e.Key[len(n.name):], '/'); i >= 0 {
			name = e.Key[:len(n.name)+i+1]
			isFolder = true
		}
		key, ok := w.names.Unescape(name, isFolder)
		if ok && !isRecord(name) {
			n.add(escapedName{key: key, name: name, entry: *e}, w)
		}
		return true, nil
	})
}

// add adds an item to n.items, unless it was shown before or does not match the listing's prefix.
// It keeps only the first items in S3's order, as many as a page may need.
func (n *escapedNames) add(item escapedName, w *nameWalk) {
	if !strings.HasPrefix(item.key, w.listing.Prefix) {
		return
	}
	if item.key <= n.startAfter && !w.beginsIn(item, n) {
		return
	}
	i, exists := slices.BinarySearchFunc(n.items, item, compareNames)
	if exists {
		return
	}
	item.entry.VersionEntry = new(*item.entry.VersionEntry) // a copy, so that the whole page need not stay in memory
	n.items = slices.Insert(n.items, i, item)
	if len(n.items) > w.listing.Max+1 {
		n.items = n.items[:w.listing.Max+1]
		n.hasMore = true
	}
}

// beginsIn reports whether an item is an escaped folder in which the walk begins. The key of such a
// folder precedes the start of the walk, but keys in it may follow.
func (w *nameWalk) beginsIn(item escapedName, n *escapedNames) bool {
	if w.listing.Delimiter != "" || n.startAfter != w.startAfter {
		return false
	}
	return strings.HasSuffix(item.name, "/") && strings.HasPrefix(w.startAfter, item.key)
}

func compareNames(a, b escapedName) int { return strings.Compare(a.key, b.key) }

// flush shows the escaped names that sort before an S3 key. If the key is "", flush shows all
// escaped names. It returns false if the page is full.
func (w *nameWalk) flush(ctx context.Context, end string) (hasMore bool, err error) {
	for len(w.escaped) > 0 {
		first := slices.MinFunc(w.escaped, func(a, b *escapedNames) int { return compareNames(a.items[0], b.items[0]) })
		item := first.items[0]
		if end != "" && item.key >= end {
			return true, nil
		}
		first.items = first.items[1:]
		if len(first.items) == 0 && first.hasMore {
			first.startAfter = item.key
			if err := w.fill(ctx, first); err != nil {
				return false, err
			}
		}
		if len(first.items) == 0 {
			w.escaped = slices.DeleteFunc(w.escaped, func(n *escapedNames) bool { return n == first })
		}
		if hasMore, err := w.showItem(ctx, item); err != nil || !hasMore {
			return false, err
		}
	}
	return true, nil
}

func (w *nameWalk) showItem(ctx context.Context, item escapedName) (hasMore bool, err error) {
	if w.listing.Delimiter == "" && strings.HasSuffix(item.name, "/") {
		subwalk := *w
		subwalk.name = item.name
		subwalk.key = item.key
		subwalk.inner = true
		subwalk.escaped = nil
		return subwalk.run(ctx)
	}
	if w.versions == nil || item.entry.IsPrefix {
		return w.show(&item.entry)
	}
	hasMore = true
	err = w.versions(ctx, item.key, func(e *listedEntry) (bool, error) {
		hasMore, err = w.show(e)
		return hasMore, err
	})
	return hasMore, err
}
