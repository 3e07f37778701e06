package bucketstore

import (
	"context"
	"slices"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
)

// ListVersions returns a page of versions or, if r.SoftDeleted is set, of soft-deleted versions.
func (s *Store) ListVersions(ctx context.Context, r *driver.ListRequest, pos Position) (*driver.VersionPage, error) {
	if r.SoftDeleted {
		return s.removed.list(ctx, r, pos)
	}
	h := &history{tree: s.Tree, reader: s.Reader, noncurrent: s.Noncurrent, position: pos}
	defer h.close()
	if err := h.open(ctx, r); err != nil {
		return nil, err
	}
	return versionPage(r.Limit, h.next)
}

// versionPage returns a page of at most limit entries. Each call of next returns the entries of one
// more key, or none at the end.
func versionPage(limit int, next func() ([]versionEntry, error)) (*driver.VersionPage, error) {
	page := &driver.VersionPage{}
	var last Position
	for {
		entries, err := next()
		if err != nil {
			return nil, err
		}
		if len(entries) == 0 {
			return page, nil
		}

		for _, e := range entries {
			if len(page.Entries) == limit {
				// There is one more entry, so the page needs a token.
				page.Token = last.Token()
				return page, nil
			}
			page.Entries = append(page.Entries, e.VersionEntry)
			last = Position{Key: e.Key, IsPrefix: e.IsPrefix, Version: e.id}
		}
	}
}

// entriesAfter returns those of the entries of key that come after the position p. The order is from
// the newest version to the oldest.
func (p Position) entriesAfter(key string, entries []versionEntry) []versionEntry {
	if p.Version == "" || key != p.Key {
		return entries
	}
	return slices.DeleteFunc(entries, func(e versionEntry) bool { return e.id >= p.Version })
}

// A history iterates over the keys with a current object or with noncurrent versions, in order. It
// merges two walks.
type history struct {
	tree       *bucketdir.Tree
	reader     *objectfile.Reader
	noncurrent *Noncurrent

	position    Position
	objectWalk  keyWalk // over the keys with a current object
	versionWalk keyWalk // over the keys with noncurrent versions
}

// A keyWalk is a walk over keys, with the item that comes next.
type keyWalk struct {
	walker  *objectfile.Walker // nil before open
	head    objectfile.Item    // the next item, if hasMore is true
	hasMore bool
}

// open begins the walk and reads its first item.
func (w *keyWalk) open(walker *objectfile.Walker) error {
	w.walker = walker
	if err := walker.Open(); err != nil {
		return err
	}
	return w.advance()
}

// advance reads the next item.
func (w *keyWalk) advance() (err error) {
	w.head, w.hasMore, err = w.walker.Next()
	return err
}

func (w *keyWalk) close() {
	if w.walker != nil {
		w.walker.Close()
	}
}

// A versionEntry is an entry with its version. If versioning is off, the entry itself does not show
// the version of a current object.
type versionEntry struct {
	storage.VersionEntry
	id string
}

// open begins the walks over the objects and over the noncurrent versions, both after h.position.
func (h *history) open(ctx context.Context, r *driver.ListRequest) error {
	if err := h.objectWalk.open(h.newWalker(ctx, r)); err != nil {
		return err
	}
	versionWalker := h.newWalker(ctx, r)
	versionWalker.Noncurrent = true
	versionWalker.Versions = bucketdir.VersionsPath
	return h.versionWalk.open(versionWalker)
}

// newWalker returns a walker over the keys with a current object, which begins after h.position.
func (h *history) newWalker(ctx context.Context, r *driver.ListRequest) *objectfile.Walker {
	return &objectfile.Walker{
		Tree:      h.tree,
		Reader:    h.reader,
		Ctx:       ctx,
		Prefix:    r.Prefix,
		Delimiter: r.Delimiter,
		Start:     h.position.Key,
		Skip:      h.position.prefix(),
		Inclusive: h.position.Version != "", // the key may have further versions
	}
}

// close ends both walks.
func (h *history) close() {
	h.objectWalk.close()
	h.versionWalk.close()
}

// next returns the entries of the next key or common prefix that has any, or nil at the end.
func (h *history) next() ([]versionEntry, error) {
	for h.objectWalk.hasMore || h.versionWalk.hasMore {
		entries, err := h.nextKey()
		if err != nil {
			return nil, err
		}
		if len(entries) > 0 {
			return entries, nil
		}
	}
	return nil, nil
}

// isAt reports whether the next item of the walk has this key.
func (w *keyWalk) isAt(key string) bool { return w.hasMore && w.head.Key == key }

// leastKey returns the lesser one of the next keys of the two walks. At least one walk must have more.
func (h *history) leastKey() string {
	if !h.objectWalk.hasMore {
		return h.versionWalk.head.Key
	}
	if !h.versionWalk.hasMore {
		return h.objectWalk.head.Key
	}
	return min(h.objectWalk.head.Key, h.versionWalk.head.Key)
}

// nextKey returns the entries of the next key, and advances each walk that is at that key. At least one
// walk must have more.
func (h *history) nextKey() ([]versionEntry, error) {
	objects := &h.objectWalk
	versions := &h.versionWalk
	key := h.leastKey()
	hasObject := objects.isAt(key)
	hasVersions := versions.isAt(key)

	// If both walks are at the key, the item of the object tells more.
	head := versions.head
	if hasObject {
		head = objects.head
	}
	entries, err := h.entries(head, hasObject)
	if err != nil {
		return nil, err
	}

	if hasObject {
		if err := objects.advance(); err != nil {
			return nil, err
		}
	}
	if hasVersions {
		if err := versions.advance(); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// entries returns the entries of the next item of the walks: that of a common prefix, or those of the
// versions of a key, newest first. hasObject tells that head is the current object of its key.
func (h *history) entries(head objectfile.Item, hasObject bool) ([]versionEntry, error) {
	if head.IsPrefix {
		prefix := storage.ListEntry{Key: head.Key, IsPrefix: true}
		return []versionEntry{{VersionEntry: storage.VersionEntry{ListEntry: prefix}}}, nil
	}

	// The current object is the newest version of its key.
	var entries []versionEntry
	var current objectfile.ObjectFile
	if hasObject {
		current = head.File
		entry, err := h.currentEntry(head)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}

	noncurrent, err := h.noncurrentEntries(head.Key, current)
	if err != nil {
		return nil, err
	}
	entries = append(entries, noncurrent...)

	// Omit the versions that an earlier page has returned.
	return h.position.entriesAfter(head.Key, entries), nil
}

// currentEntry returns the entry of a current object. It has a version only if the bucket keeps
// versions.
func (h *history) currentEntry(head objectfile.Item) (versionEntry, error) {
	listEntry, err := h.reader.ListEntry(head)
	if err != nil {
		return versionEntry{}, err
	}
	entry := versionEntry{
		VersionEntry: storage.VersionEntry{ListEntry: listEntry, Current: true},
		id:           objectfile.VersionOf(head.File.Meta),
	}
	if h.tree.KeepsVersions() {
		entry.Version = entry.id
	}
	return entry, nil
}

// noncurrentEntries returns the noncurrent versions and delete markers of a key, newest first.
func (h *history) noncurrentEntries(key string, current objectfile.ObjectFile) ([]versionEntry, error) {
	versions, err := h.noncurrent.noncurrentVersions(key, current)
	if err != nil || len(versions) == 0 {
		return nil, err
	}

	dir, err := h.tree.Open(h.noncurrent.Dirs.Path(key))
	if err != nil {
		return nil, bucketdir.IgnoreNotExist(err)
	}
	defer h.tree.CloseDir(dir)

	var entries []versionEntry
	for _, version := range versions {
		entry := storage.VersionEntry{Version: version}
		if objectfile.IsMarker(version) {
			entry.IsDeleteMarker = true
			entry.Key = key
			entry.Modified = time.Unix(0, objectfile.VersionTime(version)).UTC()
		} else {
			listEntry, found, err := h.reader.EntryIn(dir, version, key)
			if err != nil {
				return nil, err
			}
			if !found {
				// The version was removed meanwhile.
				continue
			}
			entry.ListEntry = listEntry
		}
		entries = append(entries, versionEntry{VersionEntry: entry, id: version})
	}
	return entries, nil
}
