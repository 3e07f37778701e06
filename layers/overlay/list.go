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

// List merges one page of each store. If both stores have a key, List returns the entry of the new
// store. A tombstone records that a key was removed, and hides the object in the old store.
//
// List first reads the page of the old store, then the tombstones, and last the page of the new
// store. So it misses no object in these cases:
//
//   - An object moves to the new store meanwhile. At least one of the two pages has the object.
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

	m := merger{at: pos, limit: r.Limit, page: &storage.Page{Entries: r.Entries[:0]}}
	var err error
	if m.ofOld, err = pageOf(ctx, d.stores.old.Bucket, r, pos, pos.Old, pos.OldDone); err != nil {
		return nil, err
	}
	if m.ofRemoved, err = d.stores.removedPage(ctx, r, pos); err != nil {
		return nil, err
	}
	if m.ofNew, err = d.stores.newPage(ctx, r, pos); err != nil {
		return nil, err
	}
	if m.hidden, err = d.stores.hiddenKeys(ctx, m.ofOld.Entries, m.ofNew.Entries, m.ofRemoved.Entries); err != nil {
		return nil, err
	}
	d.stores.old.BareEntries(m.ofNew.Entries)

	if d.stores.config.KeepOld {
		m.ofOld.Entries = slices.DeleteFunc(m.ofOld.Entries, func(e storage.ListEntry) bool {
			return d.stores.isTombstone(e.Key)
		})
	}
	d.stores.old.TagEntries(m.ofOld.Entries)
	if m.markers, err = d.stores.markers(ctx, m.ofNew.Entries); err != nil {
		return nil, err
	}
	m.run()
	return m.page, m.setToken()
}

// pageOf returns the entries of a store's page that were not listed yet.
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

// markers sends a request for each entry that has the size of a marker. The result maps the key of
// each of these entries to the kind of its marker. If the entry is an ordinary object, the kind is
// "". An object may have replaced a marker since the listing.
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
	byKey := map[string]string{}
	for i, e := range candidates {
		byKey[e.Key] = kinds[i]
	}
	return byKey, err
}

// kindOf returns the kind of marker that an entry is. If the entry is an object, it returns "", and
// updates e.
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
	if attrs, err := s.oldAttrs(ctx, e.Key); attrs == nil {
		return removed, err
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

// run takes entries until the page is full. It also stops when it has taken all entries of one
// store's page, and that store has a next page. The next page may contain the next key.
func (m *merger) run() {
	for len(m.page.Entries) < m.limit {
		ofNew := m.ofNew.Entries
		ofOld := m.ofOld.Entries
		switch {
		case len(ofNew) == 0 && m.ofNew.Token != "" || len(ofOld) == 0 && m.ofOld.Token != "":
			return
		case len(ofNew) == 0 && len(ofOld) == 0:
			return
		case len(ofOld) == 0 || len(ofNew) > 0 && ofNew[0].Key < ofOld[0].Key:
			m.addEntry(&ofNew[0], nil)
		case !m.knowsRemoved(ofOld[0].Key):
			return
		case len(ofNew) == 0 || ofOld[0].Key < ofNew[0].Key:
			m.addEntry(nil, &ofOld[0])
		default:
			m.addEntry(&ofNew[0], &ofOld[0])
		}
	}
}

// knowsRemoved reports whether the page of tombstones reaches far enough to show whether a key has
// one.
func (m *merger) knowsRemoved(key string) bool {
	page := m.ofRemoved
	for len(page.Entries) > 0 && page.Entries[0].Key < key {
		page.Entries = page.Entries[1:]
	}
	return len(page.Entries) > 0 || page.Token == ""
}

// addEntry adds the entry of a key to the page. If only one store has the key, the other argument is
// nil.
func (m *merger) addEntry(ofNew, ofOld *storage.ListEntry) {
	entry := ofNew
	if ofOld != nil {
		m.ofOld.Entries = m.ofOld.Entries[1:]
		m.at.After = ofOld.Key
		if m.hidden[ofOld.Key] {
			ofOld = nil
		}
	}

	if ofNew == nil {
		entry = ofOld
	} else {
		m.ofNew.Entries = m.ofNew.Entries[1:]
		m.at.After = ofNew.Key
		switch m.markers[ofNew.Key] {
		case copying:
			entry = ofOld
		case removed:
			entry = nil
		}
	}
	if entry != nil {
		m.page.Entries = append(m.page.Entries, *entry)
	}
}

// setToken sets the token of the merged page. If the merged page has all entries of a store's page,
// the token leads to the store's next page. Otherwise the token leads to the same page of the store
// again.
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
