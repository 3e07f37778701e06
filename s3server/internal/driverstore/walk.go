package driverstore

import (
	"context"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/keyname"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// A nameWalk lists the driver's names below one folder in S3's order. If a driver may refuse a
// segment of a key, the name of the segment is escaped. The driver sorts an escaped segment by its
// escaped name, which is not S3's order. The walk therefore lists the escaped segments of each
// folder separately, and merges them with the other names. It lists an escaped folder with another
// nameWalk.
type nameWalk struct {
	listing               state.Listing
	names                 keyname.Naming
	startAfter            string // only keys after this key are shown
	folderName, folderKey string // the folder's driver name and S3 key; each is "" or ends with a slash
	inner                 bool   // true if another nameWalk has begun this walk to list an escaped folder
	// entries yields the driver's names. If canSeek is true, it supports r.StartAfter.
	entries func(ctx context.Context, r *driver.ListRequest) iter.Seq2[*listedEntry, error]
	canSeek bool
	// show is called with each entry until it returns false. The function versionsOf yields the
	// versions of a key. This function is nil if the walk lists only current objects.
	show       func(e *listedEntry) (bool, error)
	versionsOf func(ctx context.Context, key string) iter.Seq2[*listedEntry, error]

	escaped []*escapedNames
	listed  map[string]bool // folders whose escaped names were read
}

// newWalk returns a walk that calls show with the objects and common prefixes of a listing, after the key startAfter.
// If the delimiter is not a slash, the walk shows all objects, because drivers group names only at slashes.
func (n *driverNames) newWalk(l state.Listing, startAfter string, show func(e *listedEntry) (bool, error)) *nameWalk {
	hasOtherDelimiter := l.Delimiter != "" && l.Delimiter != "/"
	if hasOtherDelimiter {
		l.Delimiter = ""
		// One common prefix may stand for many names, for which full pages need the fewest requests.
		l.Max = pageLimit
	}

	w := &nameWalk{
		listing:    l,
		names:      n.bucket.naming(),
		startAfter: startAfter,
		entries:    n.objects,
		canSeek:    true,
		show:       show,
	}

	// The walk begins in the folder of the prefix, such as a/b/ for the prefix a/b/c.
	if slash := strings.LastIndexByte(l.Prefix, '/'); slash >= 0 {
		w.folderName = w.names.Escape(l.Prefix[:slash]) + "/"
		w.folderKey = l.Prefix[:slash+1]
	}
	return w
}

// objects is like entries, but yields each object as a version without an id.
func (n *driverNames) objects(ctx context.Context, r *driver.ListRequest) iter.Seq2[*listedEntry, error] {
	return func(yield func(*listedEntry, error) bool) {
		for e, err := range n.entries(ctx, r) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(&listedEntry{VersionEntry: &storage.VersionEntry{ListEntry: *e}}, nil) {
				return
			}
		}
	}
}

// newVersionWalk returns the walk for a listing of versions. Because only this library's own stores support a delimiter
// and StartAfter in ListVersions, the walk lists all versions with the prefix for other drivers.
func (n *driverNames) newVersionWalk(l state.Listing, startAfter string, show func(e *listedEntry) (bool, error)) *nameWalk {
	isOwn := n.bucket.ownStore()
	if !isOwn {
		l.Delimiter = ""
	}
	w := n.newWalk(l, startAfter, show)
	w.entries = n.versions
	w.versionsOf = n.versionsOf
	w.canSeek = isOwn
	return w
}

// run calls w.show with each name of the walk. It returns true if it has shown all names, or false if w.show has
// returned false, because the page is full.
func (w *nameWalk) run(ctx context.Context) (hasRoom bool, err error) {
	w.listed = map[string]bool{}

	allPrecedeStart := w.startAfter >= w.folderKey && !w.contains(w.startAfter)
	if allPrecedeStart {
		return true, nil
	}

	if err := w.readEscapedAtStart(ctx); err != nil {
		return false, err
	}
	// If the driver escapes all names with the prefix, there are no others to request.
	if r := w.request(); r != nil {
		hasRoom, err := w.stream(ctx, r)
		if err != nil || !hasRoom {
			return false, err
		}
	}

	// Show the escaped names that follow all others.
	return w.showEscaped(ctx, "")
}

func (w *nameWalk) contains(key string) bool { return strings.HasPrefix(key, w.folderKey) }

// prefixInFolder returns the part of the listing's prefix that follows the folder's key.
func (w *nameWalk) prefixInFolder() string {
	if len(w.listing.Prefix) < len(w.folderKey) {
		return ""
	}
	return w.listing.Prefix[len(w.folderKey):]
}

// request returns the driver's request for the names in the folder of the walk, or nil if the driver escapes all names
// with the listing's prefix.
func (w *nameWalk) request() *driver.ListRequest {
	prefix := w.prefixInFolder()
	if w.names.EscapesAll(prefix) {
		return nil
	}
	r := &driver.ListRequest{
		Prefix:    w.folderName + prefix,
		Delimiter: w.listing.Delimiter,
		Limit:     w.listing.Max + 1, // the name after the page shows that there is another page
	}
	if w.inner {
		// Many such walks may be in progress, so a page must be small.
		r.Limit = min(r.Limit, pageLimit/10)
	}

	// The names before the start need not be listed, as far as the driver can start there.
	if w.canSeek && w.contains(w.startAfter) {
		startInFolder := w.startAfter[len(w.folderKey):]
		start := w.folderName + sendable(startInFolder)
		if start > r.Prefix {
			r.StartAfter = start
		}
	}
	return r
}

// sendable returns the beginning of a key that can be in a driver's request. It ends before the first invalid
// character, and before the first segment that is "." or "..".
func sendable(key string) string {
	for i, c := range key {
		isInvalid := c < 0x20 || c == utf8.RuneError
		isDots := false
		if i == 0 || key[i-1] == '/' {
			segment, _, _ := strings.Cut(key[i:], "/")
			isDots = segment == "." || segment == ".."
		}
		if isInvalid || isDots {
			return key[:i]
		}
	}
	return key
}

// readEscapedAtStart reads the escaped names of the folders in which the walk begins, because the driver lists them at
// another place than S3. The walk reads those of any other folder when it reaches that folder.
func (w *nameWalk) readEscapedAtStart(ctx context.Context) error {
	// A request with a prefix or a start may leave out the escaped names, which begin with the mark instead.
	startsInside := w.contains(w.startAfter) && w.startAfter != ""
	if w.prefixInFolder() != "" || startsInside {
		if err := w.readEscaped(ctx, w.folderName); err != nil {
			return err
		}
	}

	// With a delimiter, the walk shows no names in inner folders. Without a start inside, it begins in none of them.
	if w.listing.Delimiter != "" || !startsInside {
		return nil
	}
	return w.readEscapedInside(ctx)
}

// readEscapedInside reads the escaped names of the inner folders that contain the start of the walk, such as a/ and
// a/b/ for the start a/b/c.
func (w *nameWalk) readEscapedInside(ctx context.Context) error {
	start := w.startAfter[len(w.folderKey):]
	for end := range len(start) {
		if start[end] != '/' {
			continue
		}
		folder := start[:end]
		isFirst := w.folderKey == ""
		if !w.names.CanStore(folder, isFirst) {
			// Another nameWalk lists an escaped folder.
			return nil
		}
		if err := w.readEscaped(ctx, w.folderName+folder+"/"); err != nil {
			return err
		}
	}
	return nil
}

// stream shows the names in S3's order, the escaped ones between the others. It returns false if the function show
// returned false. In the driver's order, the escaped names of a folder follow each other. The method readEscaped has
// read them already, so stream skips them with another request that starts after them, if the driver supports this.
func (w *nameWalk) stream(ctx context.Context, r *driver.ListRequest) (hasRoom bool, err error) {
	for {
		hasRoom, next, err := w.streamOne(ctx, r)
		if err != nil || next == "" {
			return hasRoom, err
		}
		r = &driver.ListRequest{Prefix: r.Prefix, Delimiter: r.Delimiter, Limit: r.Limit, StartAfter: next}
	}
}

// streamOne shows the names of one request. If it meets an escaped name, it ends early: next is then the name after
// which another request must start to skip the escaped names. next is "" if no other request is needed. hasRoom is
// false if the function show returned false.
func (w *nameWalk) streamOne(ctx context.Context, r *driver.ListRequest) (hasRoom bool, next string, err error) {
	for e, err := range w.entries(ctx, r) {
		if err != nil {
			return false, "", err
		}

		folder, isEscaped := w.escapedFolder(e.Key)
		if err := w.readEscapedBefore(ctx, e.Key, folder, isEscaped); err != nil {
			return false, "", err
		}
		if isEscaped {
			// readEscapedBefore has read all escaped names of the folder, so skip them.
			if next := w.lastEscaped(e.Key, folder); next != "" {
				return true, next, nil
			}
			continue
		}

		hasRoom, err := w.showUnescaped(ctx, e)
		if err != nil || !hasRoom {
			return false, "", err
		}
	}
	return true, "", nil
}

// lastEscaped returns a name that sorts after all escaped names in a folder, of which name is one. It returns "" if a
// request cannot start there.
func (w *nameWalk) lastEscaped(name, folder string) string {
	last := folder + keyname.Mark + lastName
	if !w.canSeek || name >= last || len(last) > maxName {
		return ""
	}
	return last
}

// showUnescaped shows a name that is not escaped, after the escaped names that sort before it. It shows nothing if the
// name is outside the listing, and returns false if the function show returned false.
func (w *nameWalk) showUnescaped(ctx context.Context, e *listedEntry) (hasRoom bool, err error) {
	key := w.keyOf(e.Key)
	if key <= w.startAfter || !strings.HasPrefix(key, w.listing.Prefix) {
		return true, nil
	}
	hasRoom, err = w.showEscaped(ctx, key)
	if err != nil || !hasRoom {
		return false, err
	}
	return w.show(e)
}

// escapedFolder returns the folder that contains the first escaped segment of a name, or the last segment if none is
// escaped.
func (w *nameWalk) escapedFolder(name string) (folder string, isEscaped bool) {
	end := len(w.folderName) // start of a segment, and end of its folder
	for {
		rest := name[end:]
		if strings.HasPrefix(rest, keyname.Mark) {
			return name[:end], true
		}
		slash := strings.IndexByte(rest, '/')
		if slash < 0 || slash == len(rest)-1 {
			return name[:end], false
		}
		end += slash + 1
	}
}
