package driverstore

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/keyname"
)

// escapedNames holds the next escaped names in one folder, in S3's order. They are names of objects
// and of inner folders, and begin with [keyname.Mark], because the driver may refuse their keys.
type escapedNames struct {
	name, key  string // the driver's name and the S3 key of the folder; each is "" or ends with a slash
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

// readEscapedBefore reads the escaped names that may precede a driver's name in S3's order, although the driver lists
// them later. The walk calls it before it shows the name. The escaped names can be in each folder that contains the
// name, from the walk's own to the one that escapedFolder returns. isEscaped is also from escapedFolder: if it is true,
// the name's segment in that last folder is escaped.
func (w *nameWalk) readEscapedBefore(ctx context.Context, name, lastFolder string, isEscaped bool) error {
	end := len(w.folderName)
	for end <= len(lastFolder) {
		folder := name[:end]
		nameInFolder := name[end:]

		// The driver sorts escaped names by the mark with which they begin.
		isOneOfThem := isEscaped && folder == lastFolder
		isBeforeThem := nameInFolder < keyname.Mark
		if isOneOfThem || isBeforeThem {
			if err := w.readEscaped(ctx, folder); err != nil {
				return err
			}
		}

		// Continue with the next folder inside this one.
		slash := strings.IndexByte(nameInFolder, '/')
		if slash < 0 {
			return nil
		}
		end += slash + 1
	}
	return nil
}

// keyOf returns the S3 key of a driver's name below the folder of the walk, without escaped segments.
func (w *nameWalk) keyOf(name string) string { return w.folderKey + name[len(w.folderName):] }

// readEscaped reads the escaped names in a folder, which are those of keys that the driver may refuse, and adds them to
// w.escaped. If a page does not need all, it adds only the first in S3's order. A second call for the same folder does
// nothing.
func (w *nameWalk) readEscaped(ctx context.Context, folder string) error {
	if w.listed[folder] {
		return nil
	}

	names := &escapedNames{name: folder, key: w.keyOf(folder), startAfter: w.startAfter}
	containsStart := strings.HasPrefix(names.startAfter, names.key)
	if names.startAfter >= names.key && !containsStart {
		// All keys of the folder precede the start of the walk.
		return nil
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
	// A walk of versions can group the names only in a store that supports it, as canSeek says.
	if w.versionsOf == nil || w.canSeek {
		req.Delimiter = "/"
	}
	// The listing's prefix limits only the names in the folder of the walk itself. It may end within a segment.
	if names.name == w.folderName {
		const isComplete = false
		req.Prefix += keyname.EscapeText(w.escapablePrefix(), isComplete)
	}

	for e, err := range w.entries(ctx, req) {
		if err != nil {
			return err
		}
		name, isFolder := names.itemOf(e.Key)
		key, ok := w.names.Unescape(name, isFolder)
		if ok && !isRecord(name) {
			names.add(escapedName{key: key, name: name, entry: *e}, w)
		}
	}
	return nil
}

// itemOf returns the item of the folder that a driver's name belongs to: the name itself, or the inner folder that
// contains the name.
func (n *escapedNames) itemOf(name string) (item string, isFolder bool) {
	slash := strings.IndexByte(name[len(n.name):], '/')
	if slash < 0 {
		return name, false
	}
	return name[:len(n.name)+slash+1], true
}

// escapablePrefix returns the beginning of the prefix in the folder of the walk that is the same in the escaped names
// of all keys with the prefix. Dots at the end are escaped only in some of them.
func (w *nameWalk) escapablePrefix() string {
	prefix := strings.TrimRight(w.prefixInFolder(), ".")

	// The prefix may end within a character, whose bytes are escaped together.
	i := strings.IndexRune(prefix, utf8.RuneError)
	if i >= 0 {
		return prefix[:i]
	}
	return prefix
}

// add adds an item to n.items in S3's order, unless the walk has already shown it or it does not match the listing's
// prefix. It keeps only the first items, as many as a page of the walk may need, and sets n.hasMore if it drops one.
func (n *escapedNames) add(item escapedName, w *nameWalk) {
	if !strings.HasPrefix(item.key, w.listing.Prefix) {
		return
	}

	// The walk is past all names up to startAfter. Only a folder that contains startAfter may have later keys.
	isShown := item.key <= n.startAfter && !w.beginsIn(item, n)
	if isShown {
		return
	}

	// The item exists if the driver has listed another version of the object, or another object in the folder.
	i, exists := slices.BinarySearchFunc(n.items, item, compareNames)
	if exists {
		return
	}

	// The driver reuses the entries of its page for the next one, so the item needs its own copy.
	entry := *item.entry.VersionEntry
	item.entry.VersionEntry = &entry
	n.items = slices.Insert(n.items, i, item)

	// The item after the page shows that there is another page.
	limit := w.listing.Max + 1
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

// showEscaped shows those names in w.escaped, which readEscaped has read, that sort before the S3 key end, or all of
// them if end is "". It reports whether the page has room for more names.
func (w *nameWalk) showEscaped(ctx context.Context, end string) (hasRoom bool, err error) {
	compareFirst := func(a, b *escapedNames) int {
		return compareNames(a.items[0], b.items[0])
	}
	for len(w.escaped) > 0 {
		// Each folder has its names in order, so the next name is the first one of some folder.
		folder := slices.MinFunc(w.escaped, compareFirst)
		item := folder.items[0]
		isAfterEnd := end != "" && item.key >= end
		if isAfterEnd {
			return true, nil
		}

		if err := w.removeFirst(ctx, folder); err != nil {
			return false, err
		}
		hasRoom, err := w.showItem(ctx, item)
		if err != nil || !hasRoom {
			return false, err
		}
	}
	return true, nil
}

// removeFirst removes the first item of a folder, which the caller shows. It reads further items if no other is in
// memory, and removes the folder from w.escaped if there are none.
func (w *nameWalk) removeFirst(ctx context.Context, folder *escapedNames) error {
	first := folder.items[0]
	folder.items = folder.items[1:]
	if len(folder.items) == 0 && folder.hasMore {
		folder.startAfter = first.key
		if err := w.fill(ctx, folder); err != nil {
			return err
		}
	}
	if len(folder.items) == 0 {
		w.escaped = slices.DeleteFunc(w.escaped, func(n *escapedNames) bool { return n == folder })
	}
	return nil
}

// showItem shows an escaped name. For a folder in a listing without a delimiter, it shows all names in the folder, and
// in a walk through versions, all versions of the key. It reports whether the page has room for more names.
func (w *nameWalk) showItem(ctx context.Context, item escapedName) (hasRoom bool, err error) {
	isFolder := strings.HasSuffix(item.name, "/")
	if isFolder && w.listing.Delimiter == "" {
		return w.inside(item).run(ctx)
	}
	// A walk through objects has no versionsOf.
	if w.versionsOf == nil || item.entry.IsPrefix {
		return w.show(&item.entry)
	}

	for e, err := range w.versionsOf(ctx, item.key) {
		if err != nil {
			return false, err
		}
		hasRoom, err := w.show(e)
		if err != nil || !hasRoom {
			return false, err
		}
	}
	return true, nil
}

// inside returns the walk through an escaped folder, for the same listing.
func (w *nameWalk) inside(folder escapedName) *nameWalk {
	inner := *w
	inner.folderName = folder.name
	inner.folderKey = folder.key
	inner.inner = true
	inner.escaped = nil
	return &inner
}
