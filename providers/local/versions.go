package local

import (
	"context"
	"slices"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// ListVersions returns a page of current objects, noncurrent versions and delete markers, with the
// prefixes that List returns. If versioning is off, current objects have no version.
// Noncurrent ones always have one, because nothing else can reach them.
func (d *objectDriver) ListVersions(ctx context.Context, r *driver.ListRequest) (*driver.VersionPage, error) {
	after, err := parseToken(r)
	if err != nil {
		return nil, err
	}
	s, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(s)
	if r.SoftDeleted {
		return s.removed.list(ctx, r, after)
	}
	h := &history{tree: s.tree, reader: s.reader, noncurrent: s.noncurrent, after: after}
	defer h.close()
	if err := h.open(ctx, r); err != nil {
		return nil, err
	}
	return versionPage(r.Limit, h.next)
}

// versionPage returns a page of the entries that next returns; next returns none at the end.
func versionPage(limit int, next func() ([]versionEntry, error)) (*driver.VersionPage, error) {
	page := &driver.VersionPage{}
	var last position
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
				page.Token = last.token()
				return page, nil
			}
			page.Entries = append(page.Entries, e.VersionEntry)
			last = position{key: e.Key, isPrefix: e.IsPrefix, version: e.id}
		}
	}
}

// after returns the entries of a key that are after p, which are sorted newest first.
func (p position) after(key string, all []versionEntry) []versionEntry {
	if p.version == "" || key != p.key {
		return all
	}
	return slices.DeleteFunc(all, func(e versionEntry) bool { return e.id >= p.version })
}

// A history iterates over current objects and keys with noncurrent versions together.
type history struct {
	tree       *tree
	reader     *reader
	noncurrent *noncurrent

	after   position
	walkers [2]*walker // of current objects, and of noncurrent versions
	heads   [2]item
	more    [2]bool
}

// A versionEntry has the name of the version, even if the entry does not show it.
type versionEntry struct {
	storage.VersionEntry
	id string
}

func (h *history) open(ctx context.Context, r *driver.ListRequest) error {
	for i, versions := range [...]string{"", versionsPath} {
		h.walkers[i] = &walker{
			tree: h.tree, reader: h.reader, ctx: ctx, noncurrent: i == 1, versions: versions, prefix: r.Prefix,
			delimiter: r.Delimiter,
			start:     h.after.key, skip: h.after.prefix(), inclusive: h.after.version != "",
		}
		if err := h.walkers[i].open(); err != nil {
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
			w.close()
		}
	}
}

func (h *history) advance(i int) (err error) {
	h.heads[i], h.more[i], err = h.walkers[i].next()
	return err
}

// next returns the entries of the next key or prefix. It returns nil at the end.
func (h *history) next() ([]versionEntry, error) {
	for h.more[0] || h.more[1] {
		i := 0
		if !h.more[0] || h.more[1] && h.heads[1].key < h.heads[0].key {
			i = 1
		}
		head := h.heads[i]
		both := h.more[0] && h.more[1] && h.heads[0].key == h.heads[1].key
		var entries []versionEntry
		var err error
		if head.isPrefix {
			entries = []versionEntry{
				{VersionEntry: storage.VersionEntry{ListEntry: storage.ListEntry{Key: head.key, IsPrefix: true}}},
			}
		} else if entries, err = h.entries(head, i == 1); err != nil {
			return nil, err
		}
		if err := h.advance(i); err != nil {
			return nil, err
		}
		if both {
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

// entries returns the versions of a key that follow the version in the token, newest first.
func (h *history) entries(head item, onlyNoncurrent bool) ([]versionEntry, error) {
	var all []versionEntry
	var current objectFile
	if !onlyNoncurrent {
		current = head.at
		e, err := h.reader.listEntry(head)
		if err != nil {
			return nil, err
		}
		shown := versionEntry{storage.VersionEntry{ListEntry: e, Current: true}, versionOf(current.meta)}
		if h.tree.keepsVersions() {
			shown.Version = shown.id
		}
		all = append(all, shown)
	}
	noncurrent, err := h.noncurrentEntries(head.key, current)
	if err != nil {
		return nil, err
	}
	return h.after.after(head.key, append(all, noncurrent...)), nil
}

func (h *history) noncurrentEntries(key string, current objectFile) ([]versionEntry, error) {
	versions, err := h.noncurrent.noncurrentVersions(key, current)
	if err != nil || len(versions) == 0 {
		return nil, err
	}
	d, err := h.tree.open(h.noncurrent.versionsDir(key))
	if err != nil {
		return nil, unlessAbsent(err)
	}
	defer h.tree.closeDir(d)
	var all []versionEntry
	for _, version := range versions {
		if isMarker(version) {
			marker := storage.ListEntry{Key: key, Modified: time.Unix(0, versionTime(version)).UTC()}
			all = append(
				all,
				versionEntry{storage.VersionEntry{ListEntry: marker, Version: version, IsDeleteMarker: true}, version},
			)
			continue
		}
		e, found, err := h.reader.entryIn(d, version, key)
		if err != nil {
			return nil, err
		}
		if found {
			all = append(all, versionEntry{storage.VersionEntry{ListEntry: e, Version: version}, version})
		}
	}
	return all, nil
}

// entryIn returns the entry of a version of key, which is the file base of d. It returns false if there is none.
func (r *reader) entryIn(d *osdir.Dir, base, key string) (e storage.ListEntry, found bool, err error) {
	at, err := r.statObject(d, base)
	if err != nil || !at.found() {
		return e, false, err
	}
	t, err := r.tagAt(at)
	return entryOf(key, at.meta, t), err == nil, err
}
