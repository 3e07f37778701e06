package gcs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	gcs "cloud.google.com/go/storage"
	"google.golang.org/api/iterator"

	"github.com/omnibucket/storage"
)

// listedFields are all that a listing asks the server for.
var listedFields = []string{"Name", "Size", "Etag", "MD5", "Generation", "Created"}

// List is one page. Parts of uploads under way are left out.
func (d *driver) List(ctx context.Context, r *storage.ListRequest) (*storage.Page, error) {
	query := &gcs.Query{Prefix: r.Prefix, Delimiter: r.Delimiter, Projection: gcs.ProjectionNoACL}
	if r.Token == "" {
		query.StartOffset = r.StartAfter
	}
	found, token, err := d.listPage(ctx, query, listedFields, r.Limit, r.Token)
	if err != nil {
		return nil, err
	}
	// The server begins with the start itself, which takes the place of another.
	if len(found) > 0 && r.Token == "" && r.StartAfter != "" && found[0].Name == r.StartAfter {
		if token == "" {
			found = found[1:]
		} else if found, token, err = d.replaceFirst(ctx, query, found, token); err != nil {
			return nil, err
		}
	}
	page := &storage.Page{Token: token, Entries: r.Entries[:0]}
	if cap(page.Entries) < len(found) {
		page.Entries = make([]storage.ListEntry, 0, len(found))
	}
	for _, o := range found {
		switch {
		case isReserved(o.Name) || isReserved(o.Prefix):
		case o.Prefix != "":
			page.Entries = append(page.Entries, storage.ListEntry{Key: o.Prefix, IsPrefix: true})
		default:
			page.Entries = append(page.Entries, entryOf(o))
		}
	}
	// The answer has the prefixes apart.
	slices.SortFunc(page.Entries, func(a, b storage.ListEntry) int { return cmp.Compare(a.Key, b.Key) })
	return page, nil
}

// replaceFirst leaves the first object of a page away, and adds the one behind
// the page, so that pages are as long as they were asked for.
func (d *driver) replaceFirst(ctx context.Context, query *gcs.Query, found []*gcs.ObjectAttrs, token string) ([]*gcs.ObjectAttrs, string, error) {
	more, next, err := d.listPage(ctx, query, listedFields, 1, token)
	if err != nil {
		return nil, "", err
	}
	return append(found[1:], more...), next, nil
}

func entryOf(o *gcs.ObjectAttrs) storage.ListEntry {
	return storage.ListEntry{
		Key:      o.Name,
		Size:     o.Size,
		ETag:     entityTag(o.MD5, o.Etag),
		Revision: decimal(o.Generation),
		Modified: modified(o.Created),
	}
}

// listPage is one page of the SDK's, which may take several requests where the
// server's pages are shorter.
func (d *driver) listPage(ctx context.Context, query *gcs.Query, fields []string, limit int, token string) ([]*gcs.ObjectAttrs, string, error) {
	if err := query.SetAttrSelection(fields); err != nil {
		return nil, "", &storage.Error{Code: storage.Internal, Err: err}
	}
	var page []*gcs.ObjectAttrs
	next, err := iterator.NewPager(d.handle().Objects(ctx, query), min(limit, maxPage), token).NextPage(&page)
	if err != nil {
		return nil, "", listError(err)
	}
	return page, next, nil
}

// errRepeats is for a listing that would never end.
var errRepeatedPage = &storage.Error{Code: storage.Internal, Err: errors.New("the server repeats a page of the listing")}

// listFailed: nothing but a bucket can be missing to a listing.
func listError(err error) *storage.Error {
	e := translate(err)
	if e.Code == storage.ObjectNotFound {
		e.Code = storage.BucketNotFound
	}
	return e
}

// isReserved reports whether a key, or a prefix, is of this package's own
// objects.
func isReserved(key string) bool { return strings.HasPrefix(key, reservedPrefix) }
