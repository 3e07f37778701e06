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

// listBefore reads the escaped names in the folders that contain a name, before the walk shows the name, because some
// of them precede it in S3's order but not in the driver's. folder and isEscaped are the results of escapedFolder.
func (w *nameWalk) listBefore(ctx context.Context, name, folder string, isEscaped bool) error {
	for end := len(w.name); end <= len(folder); {
		// The escaped names of the folder name[:end] follow the segments that sort before the mark.
		isNext := end == len(folder) && isEscaped
		isBeforeMark := name[end:] < keyname.Mark
		if isNext || isBeforeMark {
			if err := w.list(ctx, name[:end]); err != nil {
				return err
			}
		}
		slash := strings.IndexByte(name[end:], '/')
		if slash < 0 {
			break
		}
		end += slash + 1
	}
	return nil
}

// list adds the escaped names in a folder to w.escaped, or the first of them in S3's order if a page does not need all.
// A second call for the same folder does nothing.
func (w *nameWalk) list(ctx context.Context, folder string) error {
	if w.listed[folder] {
		return nil
	}
	names := &escapedNames{name: folder, key: w.key + folder[len(w.name):], startAfter: w.startAfter}
	isBeforeStart := names.startAfter >= names.key && !strings.HasPrefix(names.startAfter, names.key)
	if isBeforeStart {
		return nil // all keys of the folder precede the start of the walk
	}
	w.listed[folder] = true
	if err := w.fill(ctx, names); err != nil {
		return err
	}
	if len(names.items) > 0 {
		w.escaped = append(w.escaped, names)
	}
	return nil
}

// fill reads the next escaped names of a folder into names.items: those of its objects and of its inner folders. It
// keeps at most one name more than a page can have.
func (w *nameWalk) fill(ctx context.Context, names *escapedNames) error {
	names.items = nil
	names.hasMore = false

	// All escaped names begin with the mark.
	req := &driver.ListRequest{Prefix: names.name + keyname.Mark}
	if w.versions == nil || w.canSeek {
		req.Delimiter = "/"
	}
	// In the folder of the walk, the listing's prefix may also limit the names.
	if names.name == w.name {
		prefix := strings.TrimRight(w.prefixInFolder(), ".")
		if i := strings.IndexRune(prefix, utf8.RuneError); i >= 0 {
			prefix = prefix[:i] // the prefix may end within a character
		}
		req.Prefix += keyname.EscapeText(prefix, false)
	}

	return w.eachName(ctx, req, func(e *listedEntry) (bool, error) {
		// An entry in an inner folder stands for the folder itself.
		name := e.Key
		isFolder := false
		if slash := strings.IndexByte(e.Key[len(names.name):], '/'); slash >= 0 {
			name = e.Key[:len(names.name)+slash+1]
			isFolder = true
		}

		key, ok := w.names.Unescape(name, isFolder)
		if ok && !isRecord(name) {
			names.add(escapedName{key: key, name: name, entry: *e}, w)
		}
		return true, nil
	})
}

// add adds an item to n.items, unless it was shown before or does not match the listing's prefix. It keeps only the
// first items in S3's order, as many as a page may need.
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
	limit := w.listing.Max + 1 // the item after the page shows that there is another page
	if len(n.items) > limit {
		n.items = n.items[:limit]
		n.hasMore = true
	}
}

// beginsIn reports whether an item of n is an escaped folder that contains the key after which the walk begins, so that
// keys in the folder may follow although that of the folder does not. With a delimiter, the folder is one common
// prefix, in which no walk begins.
func (w *nameWalk) beginsIn(item escapedName, n *escapedNames) bool {
	if w.listing.Delimiter != "" || n.startAfter != w.startAfter {
		return false
	}
	return strings.HasSuffix(item.name, "/") && strings.HasPrefix(w.startAfter, item.key)
}

func compareNames(a, b escapedName) int { return strings.Compare(a.key, b.key) }

// flush shows the escaped names that sort before the S3 key end, or all of them if end is "". It returns false if the
// page is full.
func (w *nameWalk) flush(ctx context.Context, end string) (hasMore bool, err error) {
	compareFirst := func(a, b *escapedNames) int {
		return compareNames(a.items[0], b.items[0])
	}
	for len(w.escaped) > 0 {
		folder := slices.MinFunc(w.escaped, compareFirst)
		item := folder.items[0]

		// The remaining names belong after end.
		if end != "" && item.key >= end {
			return true, nil
		}

		// Take the item from its folder. A folder without items is done.
		folder.items = folder.items[1:]
		if len(folder.items) == 0 && folder.hasMore {
			folder.startAfter = item.key
			if err := w.fill(ctx, folder); err != nil {
				return false, err
			}
		}
		if len(folder.items) == 0 {
			w.escaped = slices.DeleteFunc(w.escaped, func(n *escapedNames) bool { return n == folder })
		}

		if hasMore, err := w.showItem(ctx, item); err != nil || !hasMore {
			return false, err
		}
	}
	return true, nil
}

// showItem shows an escaped name: all names in it if it is a folder and the listing has no delimiter, and all versions
// of the key if the walk lists versions. It returns false if the page is full.
func (w *nameWalk) showItem(ctx context.Context, item escapedName) (hasMore bool, err error) {
	if w.listing.Delimiter == "" && strings.HasSuffix(item.name, "/") {
		folderWalk := *w
		folderWalk.name = item.name
		folderWalk.key = item.key
		folderWalk.inner = true
		folderWalk.escaped = nil
		return folderWalk.run(ctx)
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
