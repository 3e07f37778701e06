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
// Keys of the old store that have a tombstone are hidden.
//
// List reads the page of the old store first, then the tombstones, and last the page of the new
// store, so that it misses no object in these cases:
//
//   - An object moves to the new store meanwhile. At least one of the two pages has it.
//   - A removed key is written again meanwhile. If List has read the key's tombstone, the page of
//     the new store has the new object.
func (d *objectDriver) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	pos := position{Start: r.StartAfter}
	if r.Token != "" {
		if err := json.Unmarshal([]byte(r.Token), &pos); err != nil {
			return nil, &storage.Error{
				Code: storage.InvalidArgument,
				Err:  errors.New("token must be of a page of this listing"),
			}
		}
	}

	s := d.stores
	m := merger{at: pos, limit: r.Limit, page: &storage.Page{Entries: r.Entries[:0]}}
	var err error
	if m.ofOld, err = pageOf(ctx, s.old.Bucket, r, pos, pos.Old, pos.OldDone); err != nil {
		return nil, err
	}
	if m.ofRemoved, err = s.removedPage(ctx, r, pos); err != nil {
		return nil, err
	}
	if m.ofNew, err = s.newPage(ctx, r, pos); err != nil {
		return nil, err
	}
	if m.hidden, err = s.hiddenKeys(ctx, m.ofOld.Entries, m.ofNew.Entries, m.ofRemoved.Entries); err != nil {
		return nil, err
	}

	if s.config.KeepOld {
		isTombstone := func(e storage.ListEntry) bool { return s.isTombstone(e.Key) }
		m.ofOld.Entries = slices.DeleteFunc(m.ofOld.Entries, isTombstone)
	}
	s.old.TagEntries(m.ofOld.Entries)
	s.old.BareEntries(m.ofNew.Entries)
	if m.markers, err = s.markers(ctx, m.ofNew.Entries); err != nil {
		return nil, err
	}

	m.run()
	return m.page, m.setToken()
}

// pageOf returns a store's page without the entries that were listed before.
func pageOf(
	ctx context.Context, b storage.Bucket, r *driver.ListRequest, pos position, token string, done bool,
) (*storage.Page, error) {
	if done {
		return &storage.Page{}, nil
	}
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
		if e := &entries[i]; !e.IsPrefix && objectkey.HasOverlayMarkerSize(e.Key, e.Size) {
			candidates = append(candidates, e)
		}
	}

	kinds := make([]string, len(candidates))
	err := running.Each(ctx, len(candidates), lookAhead, func(ctx context.Context, i int) (err error) {
		kinds[i], err = s.kindOf(ctx, candidates[i])
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

// kindOf returns the kind of marker that an entry of the new store is, or "" for an object, whose
// entry it updates. A marker says that the old store still has the object, or that the object was
// removed.
func (s *stores) kindOf(ctx context.Context, e *storage.ListEntry) (string, error) {
	p, err := s.lookup(ctx, e.Key)
	if err != nil || p.marker != "" {
		return p.marker, err
	}

	if p.attrs != nil {
		e.Size = p.attrs.Size
		e.ETag = p.attrs.ETag
		e.Revision = p.attrs.Revision
		e.Modified = p.attrs.Modified
		return "", nil
	}

	// The marker no longer exists. If the old store lacks the object, too, the object was removed.
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
		newEntry := firstEntry(m.ofNew)
		oldEntry := firstEntry(m.ofOld)

		// The next page of this store may have a smaller key than the other store's entry.
		if newEntry == nil && m.ofNew.Token != "" {
			return
		}
		if oldEntry == nil && m.ofOld.Token != "" {
			return
		}

		if newEntry == nil && oldEntry == nil {
			return
		}

		// Take the smaller key, or an equal key from both pages.
		if isBefore(newEntry, oldEntry) {
			m.addEntry(newEntry, nil)
			continue
		}
		// The key may be hidden by a tombstone of the next page.
		if !m.knowsTombstone(oldEntry.Key) {
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

// addEntry adds the entry of a key to the page. The entry of a store without the key is nil. The new
// store may have a marker in place of an object: "copying" says that the old store still has the
// object, and "removed" that it was removed.
func (m *merger) addEntry(newEntry, oldEntry *storage.ListEntry) {
	var visible *storage.ListEntry // the entry that the listing shows; nil if the key is removed
	if oldEntry != nil {
		m.ofOld.Entries = m.ofOld.Entries[1:]
		m.at.After = oldEntry.Key
		if !m.hidden[oldEntry.Key] {
			visible = oldEntry
		}
	}

	if newEntry != nil {
		m.ofNew.Entries = m.ofNew.Entries[1:]
		m.at.After = newEntry.Key
		switch m.markers[newEntry.Key] {
		case copying:
			// The entry of the old store is visible.
		case removed:
			visible = nil
		default:
			visible = newEntry
		}
	}

	if visible != nil {
		m.page.Entries = append(m.page.Entries, *visible)
	}
}

// setToken sets the token of the merged page. It leads to the next page of a store all of whose entries
// the merged page has, and otherwise to the same page again.
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

	if m.at.NewDone && m.at.OldDone {
		return nil
	}
	token, err := json.Marshal(m.at)
	m.page.Token = string(token)
	return err
}
