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

// versionPage returns a page of entries. The function next returns the entries of the next key each
// time. At the end it returns none.
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
				page.Token = last.Token()
				return page, nil
			}
			page.Entries = append(page.Entries, e.VersionEntry)
			last = Position{Key: e.Key, IsPrefix: e.IsPrefix, Version: e.id}
		}
	}
}

// entriesAfter returns the entries of key that come after the position p. The parameter all has the
// entries of key, newest first.
func (p Position) entriesAfter(key string, all []versionEntry) []versionEntry {
	if p.Version == "" || key != p.Key {
		return all
	}
	return slices.DeleteFunc(all, func(e versionEntry) bool { return e.id >= p.Version })
}

// A history iterates over the keys with a current object or with noncurrent versions, in order.
type history struct {
	tree       *bucketdir.Tree
	reader     *objectfile.Reader
	noncurrent *Noncurrent

	position Position
	walkers  [2]*objectfile.Walker // one over current objects, and one over keys with noncurrent versions
	heads    [2]objectfile.Item
	hasMore  [2]bool
}

// A versionEntry is an entry with its version. If versioning is off, the entry itself does not show
// the version of a current object.
type versionEntry struct {
	storage.VersionEntry
	id string
}

func (h *history) open(ctx context.Context, r *driver.ListRequest) error {
	for i, versions := range [...]string{"", bucketdir.VersionsPath} {
		h.walkers[i] = &objectfile.Walker{
			Tree:       h.tree,
			Reader:     h.reader,
			Ctx:        ctx,
			Noncurrent: i == 1,
			Versions:   versions,
			Prefix:     r.Prefix,
			Delimiter:  r.Delimiter,
			Start:      h.position.Key,
			Skip:       h.position.prefix(),
			Inclusive:  h.position.Version != "",
		}
		if err := h.walkers[i].Open(); err != nil {
			return err
		}
		if err := h.advance(i); err != nil {
			return err
		}
	}
	return nil
}

func (h *history) close() {
	for _, w := range h.walkers {
		if w != nil {
			w.Close()
		}
	}
}

func (h *history) advance(i int) (err error) {
	h.heads[i], h.hasMore[i], err = h.walkers[i].Next()
	return err
}

// next returns the entries of the next key or common prefix. At the end it returns nil.
func (h *history) next() ([]versionEntry, error) {
	for h.hasMore[0] || h.hasMore[1] {
		i := 0
		if !h.hasMore[0] || h.hasMore[1] && h.heads[1].Key < h.heads[0].Key {
			i = 1
		}
		head := h.heads[i]
		sameKey := h.hasMore[0] && h.hasMore[1] && h.heads[0].Key == h.heads[1].Key
		var entries []versionEntry
		var err error
		if head.IsPrefix {
			entries = []versionEntry{
				{VersionEntry: storage.VersionEntry{ListEntry: storage.ListEntry{Key: head.Key, IsPrefix: true}}},
			}
		} else if entries, err = h.entries(head, i == 1); err != nil {
			return nil, err
		}
		if err := h.advance(i); err != nil {
			return nil, err
		}
		if sameKey {
			if err := h.advance(1); err != nil {
				return nil, err
			}
		}
		if len(entries) > 0 {
			return entries, nil
		}
	}
	return nil, nil
}

// entries returns the versions of a key that come after the version in the page token, newest
// first.
func (h *history) entries(head objectfile.Item, onlyNoncurrent bool) ([]versionEntry, error) {
	var all []versionEntry
	var current objectfile.ObjectFile
	if !onlyNoncurrent {
		current = head.At
		e, err := h.reader.ListEntry(head)
		if err != nil {
			return nil, err
		}
		entry := versionEntry{storage.VersionEntry{ListEntry: e, Current: true}, objectfile.VersionOf(current.Meta)}
		if h.tree.KeepsVersions() {
			entry.Version = entry.id
		}
		all = append(all, entry)
	}
	noncurrent, err := h.noncurrentEntries(head.Key, current)
	if err != nil {
		return nil, err
	}
	return h.position.entriesAfter(head.Key, append(all, noncurrent...)), nil
}

func (h *history) noncurrentEntries(key string, current objectfile.ObjectFile) ([]versionEntry, error) {
	versions, err := h.noncurrent.noncurrentVersions(key, current)
	if err != nil || len(versions) == 0 {
		return nil, err
	}

	d, err := h.tree.Open(h.noncurrent.Dirs.Path(key))
	if err != nil {
		return nil, bucketdir.UnlessAbsent(err)
	}
	defer h.tree.CloseDir(d)

	var all []versionEntry
	for _, version := range versions {
		if objectfile.IsMarker(version) {
			marker := storage.ListEntry{Key: key, Modified: time.Unix(0, objectfile.VersionTime(version)).UTC()}
			all = append(
				all,
				versionEntry{storage.VersionEntry{ListEntry: marker, Version: version, IsDeleteMarker: true}, version},
			)
			continue
		}
		e, ok, err := h.reader.EntryIn(d, version, key)
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, versionEntry{storage.VersionEntry{ListEntry: e, Version: version}, version})
		}
	}
	return all, nil
}
