package gcs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	gcs "cloud.google.com/go/storage"
	"google.golang.org/api/iterator"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/providers/internal/httpheader"
)

// listedFields are the fields that a listing requests.
var listedFields = []string{
	"Name", "Size", "Etag", "MD5", "Generation", "Created", "StorageClass", "KMSKeyName", "CustomerKeySHA256",
}

// List returns one page, without the parts of uploads.
func (d *objectDriver) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	query := &gcs.Query{Prefix: r.Prefix, Delimiter: r.Delimiter, Projection: gcs.ProjectionNoACL}
	if r.Token == "" {
		query.StartOffset = r.StartAfter
	}
	attrs, token, err := d.bucket.page(ctx, query, listedFields, r.Limit, r.Token)
	if err != nil {
		return nil, err
	}

	// The listing includes StartAfter itself, which List must omit.
	if len(attrs) > 0 && query.StartOffset != "" && attrs[0].Name == query.StartOffset {
		attrs = attrs[1:]
		if token != "" {
			// The page is full, so request one more entry.
			var extra []*gcs.ObjectAttrs
			extra, token, err = d.bucket.page(ctx, query, listedFields, 1, token)
			if err != nil {
				return nil, err
			}
			attrs = append(attrs, extra...)
		}
	}

	entries, err := d.bucket.appendEntries(ctx, slices.Grow(r.Entries[:0], len(attrs)), attrs)
	if err != nil {
		return nil, err
	}
	return &storage.Page{Token: token, Entries: entries}, nil
}

// appendEntries appends the objects and the common prefixes of a page to entries, which is empty, in
// the order of their keys. It omits objects that only the driver stores.
func (b *bucket) appendEntries(
	ctx context.Context, entries []storage.ListEntry, attrs []*gcs.ObjectAttrs,
) ([]storage.ListEntry, error) {
	// An entry of the SDK is a common prefix if it has a Prefix, and otherwise an object.
	var prefixes []storage.ListEntry
	for _, o := range attrs {
		if o.Prefix == "" {
			if !isReserved(o.Name) {
				entries = append(entries, entryOf(o))
			}
			continue
		}

		isHidden, err := b.hidesOnlyReserved(ctx, o.Prefix)
		if err != nil {
			return nil, err
		}
		if !isHidden {
			prefixes = append(prefixes, storage.ListEntry{Key: o.Prefix, IsPrefix: true})
		}
	}
	return mergePrefixes(entries, prefixes), nil
}

// mergePrefixes merges the prefixes of a page into its objects, because the response has two lists.
// It relies on the server's order and does not sort: if the lists are not in order, the engine ends
// the listing (rule K4: keys are listed in byte order).
func mergePrefixes(objects, prefixes []storage.ListEntry) []storage.ListEntry {
	// Fill the result from its end, so that no object is overwritten before it is moved.
	merged := append(objects, prefixes...)
	lastObject := len(objects) - 1
	lastPrefix := len(prefixes) - 1
	for end := len(merged) - 1; lastPrefix >= 0; end-- {
		if lastObject >= 0 && merged[lastObject].Key > prefixes[lastPrefix].Key {
			merged[end] = merged[lastObject]
			lastObject--
		} else {
			merged[end] = prefixes[lastPrefix]
			lastPrefix--
		}
	}
	return merged
}

// hidesOnlyReserved reports whether all keys with a common prefix are reserved. It returns false if
// prefix is "", because the listed entry is then an object.
func (b *bucket) hidesOnlyReserved(ctx context.Context, prefix string) (bool, error) {
	if isReserved(prefix) {
		return true, nil
	}
	// Only a common prefix that reservedPrefix begins with has reserved keys under it.
	if prefix == "" || !strings.HasPrefix(reservedPrefix, prefix) {
		return false, nil
	}

	// Look for a key before the reserved keys, and for one after them.
	queries := []*gcs.Query{
		{Prefix: prefix, EndOffset: reservedPrefix, Projection: gcs.ProjectionNoACL},
		{Prefix: prefix, StartOffset: reservedEnd, Projection: gcs.ProjectionNoACL},
	}
	for _, query := range queries {
		attrs, _, err := b.page(ctx, query, []string{"Name"}, 1, "")
		if err != nil {
			return false, err
		}
		if len(attrs) > 0 {
			return false, nil
		}
	}
	return true, nil
}

// entryOf returns the entry of a listing for an object with these attributes.
func entryOf(o *gcs.ObjectAttrs) storage.ListEntry {
	return storage.ListEntry{
		Key:          o.Name,
		Size:         o.Size,
		ETag:         entityTag(o.MD5, o.Etag, encryptionOf(o.KMSKeyName, o.CustomerKeySHA256)),
		Revision:     decimal(o.Generation),
		Modified:     wholeSeconds(o.Created),
		StorageClass: httpheader.StorageClass(o.StorageClass),
	}
}

// page returns one page of a listing, and the token of the next page. fields are the attributes to
// request. If the server's pages are shorter than limit, page makes several requests.
func (b *bucket) page(
	ctx context.Context, query *gcs.Query, fields []string, limit int, token string,
) ([]*gcs.ObjectAttrs, string, error) {
	if err := query.SetAttrSelection(fields); err != nil {
		return nil, "", &storage.Error{Code: storage.Internal, Err: err}
	}
	var page []*gcs.ObjectAttrs
	objects := b.handle().Objects(watchPages(ctx), query)
	nextToken, err := iterator.NewPager(objects, min(limit, maxPage), token).NextPage(&page)
	if err != nil {
		return nil, "", listError(err)
	}
	return page, nextToken, nil
}

// errRepeatedPage is the error if the server repeats a page, so that the listing would never end.
var errRepeatedPage = &storage.Error{
	Code: storage.Unavailable,
	Err:  errors.New("the server repeats a page of the listing"),
}

// A pageWatch limits the requests for one page of a listing. The SDK requests pages until it has
// enough entries, and would never stop if the pages were empty.
type pageWatch struct {
	requests int
	token    string // token of the last request
}

type pageWatchKey struct{}

func watchPages(ctx context.Context) context.Context {
	return context.WithValue(ctx, pageWatchKey{}, &pageWatch{})
}

// checkPages fails if r requests the same page of a listing as the request before it, or if there were too
// many requests for one page of the caller.
func checkPages(r *http.Request) error {
	watch, ok := r.Context().Value(pageWatchKey{}).(*pageWatch)
	if !ok {
		return nil // r is not of a listing
	}

	token := r.URL.Query().Get("pageToken")
	if watch.requests > 0 && token == watch.token {
		return errRepeatedPage
	}
	if watch.requests == maxEmptyPages {
		return errTooManyPages
	}
	watch.requests++
	watch.token = token
	return nil
}

var errTooManyPages = &storage.Error{
	Code: storage.Unavailable,
	Err:  fmt.Errorf("the listing takes more than %d requests for one page", maxEmptyPages),
}

// listError returns the error for a failed listing or upload. A 404 means that the bucket is
// missing.
func listError(err error) *storage.Error { return sdkerror.FromListing(translate(err), "") }

func isReserved(key string) bool { return strings.HasPrefix(key, reservedPrefix) }
