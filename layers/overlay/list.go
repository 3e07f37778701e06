package overlay

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/layers/internal/otherstore"
)

// A position is the beginning of the next page of a merged listing. It has a page of each store, and the key after
// which the merged page begins.
type position struct {
	New, Old, Removed             string // tokens of the pages; "" is the first page
	NewDone, OldDone, RemovedDone bool   // there are no more pages
	Start                         string // ListRequest.StartAfter in the request of the first page
	After                         string // last key or prefix that was listed, or ""
}

// List merges one page of each store. If both have a key, it returns the entry of the new store.
// Keys of the old store that have a tombstone, which says that the key was removed, are hidden.
func (d *objectDriver) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	pos, err := positionOf(r)
	if err != nil {
		return nil, err
	}
	m := merger{at: pos, limit: r.Limit, page: &storage.Page{Entries: r.Entries[:0]}}
	if err := m.readPages(ctx, d.stores, r); err != nil {
		return nil, err
	}
	m.run()
	return m.page, m.setToken()
}

// positionOf returns the position in the token of r or, without a token, that of the first page.
func positionOf(r *driver.ListRequest) (position, error) {
	pos := position{Start: r.StartAfter}
	if r.Token == "" {
		return pos, nil
	}
	if err := json.Unmarshal([]byte(r.Token), &pos); err != nil {
		return position{}, &storage.Error{
			Code: storage.InvalidArgument,
			Err:  errors.New("token must be of a page of this listing"),
		}
	}
	return pos, nil
}

// readPages reads the page of the old store first, then the tombstones, and last the page of the new
// store, so that the merged page misses no object in these cases:
//
//   - An object moves to the new store meanwhile. At least one of the two pages has it.
//   - A removed key is written again meanwhile. If the page of tombstones has that of the key, the page
//     of the new store has the new object.
func (m *merger) readPages(ctx context.Context, s *stores, r *driver.ListRequest) (err error) {
	m.ofOld, err = pageOf(ctx, s.old.Bucket, r, m.at, m.at.Old, m.at.OldDone)
	if err != nil {
		return err
	}
	m.ofRemoved, err = s.removedPage(ctx, r, m.at)
	if err != nil {
		return err
	}
	m.ofNew, err = s.newPage(ctx, r, m.at)
	if err != nil {
		return err
	}
	m.hidden, err = s.hiddenKeys(ctx, m.ofOld.Entries, m.ofNew.Entries, m.ofRemoved.Entries)
	if err != nil {
		return err
	}

	// With KeepOld, the bucket shows no key below TombstonesPrefix.
	if s.config.KeepOld {
		isTombstone := func(e storage.ListEntry) bool { return s.isTombstone(e.Key) }
		m.ofOld.Entries = slices.DeleteFunc(m.ofOld.Entries, isTombstone)
	}

	// The engine gets revisions as the driver of the new store returns them. Those of the old store have its name.
	s.old.TagEntries(m.ofOld.Entries)
	s.old.BareEntries(m.ofNew.Entries)
	m.markers, err = s.markers(ctx, m.ofNew.Entries)
	return err
}

// pageOf is listPage, except that it returns an empty page if the store has no more pages (done).
func pageOf(
	ctx context.Context, b storage.Bucket, r *driver.ListRequest, pos position, token string, done bool,
) (*storage.Page, error) {
	if done {
		return &storage.Page{}, nil
	}
	return listPage(ctx, b, r, pos, token)
}

// listPage lists the page of a store that begins at token, or at pos.Start if token is "". It leaves out the entries
// that were listed before.
func listPage(
	ctx context.Context, b storage.Bucket, r *driver.ListRequest, pos position, token string,
) (*storage.Page, error) {
	page, err := otherstore.ListPage(ctx, b, r, token, pos.Start)
	if err != nil {
		return nil, err
	}
	for pos.After != "" && len(page.Entries) > 0 && page.Entries[0].Key <= pos.After {
		page.Entries = page.Entries[1:]
	}
	return page, nil
}

// lookAhead is the number of possible markers that are requested at the same time.
const lookAhead = 16

// markers returns the kind of marker that each entry with the size of a marker is, by key. The kind is
// "" for an ordinary object. It sends a request for each of these entries, because an object may have
// replaced a marker since the listing.
func (s *stores) markers(ctx context.Context, entries []storage.ListEntry) (map[string]string, error) {
	var candidates []*storage.ListEntry
	for i := range entries {
		e := &entries[i]
		mayBeMarker := !e.IsPrefix && objectkey.HasOverlayMarkerSize(e.Key, e.Size)
		if mayBeMarker {
			candidates = append(candidates, e)
		}
	}

	kinds := make([]string, len(candidates))
	err := running.Each(ctx, len(candidates), lookAhead, func(ctx context.Context, i int) error {
		kind, err := s.refreshEntry(ctx, candidates[i])
		kinds[i] = kind
		return err
	})
	if err != nil {
		return nil, err
	}

	byKey := map[string]string{}
	for i, e := range candidates {
		byKey[e.Key] = kinds[i]
	}
	return byKey, nil
}

// refreshEntry looks in the new store again, because an object may have replaced a marker since the listing. If there
// is an object, it updates e and returns "". Otherwise it returns the kind of marker: copying if the old store still
// has the object, and removed if the object was removed.
func (s *stores) refreshEntry(ctx context.Context, e *storage.ListEntry) (kind string, err error) {
	state, err := s.lookup(ctx, e.Key)
	if err != nil || state.marker != "" {
		return state.marker, err
	}

	if state.attrs != nil {
		e.Size = state.attrs.Size
		e.ETag = state.attrs.ETag
		e.Revision = state.attrs.Revision
		e.Modified = state.attrs.Modified
		return "", nil
	}

	// The new store has nothing any more. The result is the marker that suits the old store's answer.
	attrs, err := s.oldAttrs(ctx, e.Key)
	if err != nil {
		return "", err
	}
	if attrs == nil {
		return removed, nil
	}
	return copying, nil
}

// A merger merges a page of each store and a page of tombstones into one page.
type merger struct {
	at                      position
	limit                   int
	ofNew, ofOld, ofRemoved *storage.Page
	markers                 map[string]string
	hidden                  map[string]bool // entries of the old store that have a tombstone
	page                    *storage.Page
}

// run merges the entries of both stores into the page, in the order of keys, until the page is full
// or a further page of a store is needed.
func (m *merger) run() {
	for len(m.page.Entries) < m.limit {
		newEntry := firstEntry(m.ofNew) // nil after the last one
		oldEntry := firstEntry(m.ofOld)

		if newEntry == nil && oldEntry == nil {
			return
		}

		// The next page of a store may have a smaller key than the other store's entry.
		needsNewPage := newEntry == nil && m.ofNew.Token != ""
		needsOldPage := oldEntry == nil && m.ofOld.Token != ""
		if needsNewPage || needsOldPage {
			return
		}

		// Take the smaller key, or an equal key from both pages.
		if isBefore(newEntry, oldEntry) {
			m.addEntry(newEntry, nil)
			continue
		}
		if !m.knowsTombstone(oldEntry.Key) {
			// The next page of tombstones may have one that hides the old store's entry.
			return
		}
		if isBefore(oldEntry, newEntry) {
			m.addEntry(nil, oldEntry)
			continue
		}
		m.addEntry(newEntry, oldEntry)
	}
}

// isBefore reports whether the entry a precedes b in a listing. A nil entry is after all others.
func isBefore(a, b *storage.ListEntry) bool {
	if a == nil {
		return false
	}
	return b == nil || a.Key < b.Key
}

// firstEntry returns the first entry of a page, or nil if the page has none.
func firstEntry(page *storage.Page) *storage.ListEntry {
	if len(page.Entries) == 0 {
		return nil
	}
	return &page.Entries[0]
}

// knowsTombstone reports whether the page of tombstones reaches far enough to show whether a key has
// one.
func (m *merger) knowsTombstone(key string) bool {
	page := m.ofRemoved
	for len(page.Entries) > 0 && page.Entries[0].Key < key {
		page.Entries = page.Entries[1:]
	}
	return len(page.Entries) > 0 || page.Token == ""
}

// addEntry takes the entries of a key from the pages of the stores, and adds the visible one to the merged page. The
// entry of a store without the key is nil.
func (m *merger) addEntry(newEntry, oldEntry *storage.ListEntry) {
	if oldEntry != nil {
		m.ofOld.Entries = m.ofOld.Entries[1:]
		m.at.After = oldEntry.Key
	}
	if newEntry != nil {
		m.ofNew.Entries = m.ofNew.Entries[1:]
		m.at.After = newEntry.Key
	}
	if visible := m.visibleEntry(newEntry, oldEntry); visible != nil {
		m.page.Entries = append(m.page.Entries, *visible)
	}
}

// visibleEntry returns the entry of a key that the listing shows, or nil if the object was removed. The new store may
// have a marker in place of an object: "copying" says that the old store still has the object, and "removed" that it
// was removed.
func (m *merger) visibleEntry(newEntry, oldEntry *storage.ListEntry) *storage.ListEntry {
	if newEntry != nil {
		marker := m.markers[newEntry.Key]
		if marker == removed {
			return nil
		}
		if marker != copying {
			return newEntry
		}
	}
	if oldEntry == nil || m.hidden[oldEntry.Key] {
		return nil
	}
	return oldEntry
}

// setToken sets the token of the merged page. It says which page of each store the next call must read: the store's
// next page, or this one again if it has entries that were not merged.
func (m *merger) setToken() error {
	if len(m.ofNew.Entries) == 0 {
		m.at.New = m.ofNew.Token
		m.at.NewDone = m.ofNew.Token == ""
	}
	if len(m.ofOld.Entries) == 0 {
		m.at.Old = m.ofOld.Token
		m.at.OldDone = m.ofOld.Token == ""
	}
	if len(m.ofRemoved.Entries) == 0 {
		m.at.Removed = m.ofRemoved.Token
		m.at.RemovedDone = m.ofRemoved.Token == ""
	}

	// Tombstones that are left hide nothing if the old store has no more entries.
	if m.at.NewDone && m.at.OldDone {
		return nil
	}
	token, err := json.Marshal(m.at)
	m.page.Token = string(token)
	return err
}
