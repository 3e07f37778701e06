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

// afterNotes sorts after the keys of all notes, and before all keys that follow the notes.
const afterNotes = NotesPrefix + "~"

// List returns a page of the primary, or of the second store if the primary is down.
func (d *objectDriver) List(ctx context.Context, r *driver.ListRequest) (page *storage.Page, err error) {
	pos := position{After: r.StartAfter}
	if r.Token != "" {
		if err := json.Unmarshal([]byte(r.Token), &pos); err != nil {
			return nil, &storage.Error{
				Code: storage.InvalidArgument,
				Err:  errors.New("token must be of a page of this listing"),
			}
		}
	}

	s := d.stores
	readPrimary := func(ctx context.Context) (err error) {
		page, err = s.page(ctx, r, pos, false)
		return err
	}
	readSecond := func(ctx context.Context) (err error) {
		page, err = s.page(ctx, r, pos, true)
		return err
	}

	err = s.read(ctx, &driver.GetRequest{}, readPrimary, readSecond)
	return page, err
}

// page returns the next page of one store, without notes: the second store if second is true, and
// otherwise the primary.
func (s *stores) page(ctx context.Context, r *driver.ListRequest, pos position, second bool) (*storage.Page, error) {
	src := s.once
	if second {
		src = s.second.Bucket
	}

	// A token of the other store has no meaning here, so the page begins after the last key.
	if pos.Second != second {
		pos.Second = second
		pos.Token = ""
	}

	listed, err := otherstore.ListPage(ctx, src, r, pos.Token, pos.After)
	if err != nil {
		return nil, err
	}

	page := &storage.Page{Entries: r.Entries[:0]}
	// From here on, pos is the position of the next page.
	pos.Token = listed.Token
	for _, entry := range listed.Entries {
		hidden, err := otherstore.Hides(ctx, src, entry, NotesPrefix, afterNotes)
		if err != nil {
			return nil, err
		}
		pos.After = entry.Key
		if hidden {
			// The next pages may have nothing but notes, so continue after the last of these.
			pos.Token = ""
			pos.After = afterNotes
			continue
		}

		// The form of a revision shows from which store it is.
		if second {
			entry.Revision = s.second.Revision(entry.Revision)
		} else {
			entry.Revision = s.second.Bare(entry.Revision)
		}
		page.Entries = append(page.Entries, entry)
	}

	if listed.Token != "" {
		token, err := json.Marshal(pos)
		page.Token = string(token)
		return page, err
	}
	return page, nil
}
