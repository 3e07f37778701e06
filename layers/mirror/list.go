package mirror

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/internal/otherstore"
)

// A position says where the next page of a listing begins. The next page may be from another store
// than the last page. In this case, it begins after the key in the field After.
type position struct {
	Second bool   // true if Token is a token of the second store
	Token  string // "" if the page begins after the key in After
	After  string // the last key or prefix that was listed, or ListRequest.StartAfter
}

// inPrimary returns the position for a page of the primary. A token of the second store has no meaning
// there, so the page begins after the last key.
func (p position) inPrimary() position {
	if p.Second {
		return position{After: p.After}
	}
	return p
}

// inSecond returns the position for a page of the second store. A token of the primary has no meaning
// there, so the page begins after the last key.
func (p position) inSecond() position {
	if !p.Second {
		return position{Second: true, After: p.After}
	}
	return p
}

// afterNotes sorts after the keys of all notes, and before all keys that follow the notes.
const afterNotes = NotesPrefix + "~"

// List returns a page of the primary, or of the second store if the primary is down.
func (d *objectDriver) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	pos := position{After: r.StartAfter}
	if r.Token != "" {
		if err := json.Unmarshal([]byte(r.Token), &pos); err != nil {
			return nil, &storage.Error{
				Code: storage.InvalidArgument,
				Err:  errors.New("token must be of a page of this listing"),
			}
		}
	}

	listPrimary := func(ctx context.Context) (*storage.Page, error) {
		return d.stores.page(ctx, r, pos.inPrimary())
	}
	listSecond := func(ctx context.Context) (*storage.Page, error) {
		return d.stores.page(ctx, r, pos.inSecond())
	}
	unconditional := &driver.GetRequest{}
	return read(ctx, d.stores, unconditional, listPrimary, listSecond)
}

// page returns the page at a position, without notes. The position says which store is read.
func (s *stores) page(ctx context.Context, r *driver.ListRequest, pos position) (*storage.Page, error) {
	// The form of a revision shows from which store it is.
	src := s.once
	formOf := s.second.Bare
	if pos.Second {
		src = s.second.Bucket
		formOf = s.second.Revision
	}
	listed, err := otherstore.ListPage(ctx, src, r, pos.Token, pos.After)
	if err != nil {
		return nil, err
	}

	// Leave out the notes. The next page continues at the token, and in the other store after the last entry.
	page := &storage.Page{Entries: r.Entries[:0]}
	next := position{Second: pos.Second, Token: listed.Token, After: pos.After}
	for _, entry := range listed.Entries {
		hidden, err := otherstore.Hides(ctx, src, entry, NotesPrefix, afterNotes)
		if err != nil {
			return nil, err
		}
		if hidden {
			// The next pages may have nothing but notes, so continue after the last of these.
			next.Token = ""
			next.After = afterNotes
			continue
		}
		next.After = entry.Key
		entry.Revision = formOf(entry.Revision)
		page.Entries = append(page.Entries, entry)
	}

	// Without a token, there is no next page.
	if listed.Token == "" {
		return page, nil
	}
	token, err := json.Marshal(next)
	page.Token = string(token)
	return page, err
}
