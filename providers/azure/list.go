package azure

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/httpheader"
	"github.com/omnibucket/storage/internal/invalid"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// List is one List Blobs, and where Azure's order is not that of bytes, as many
// as it takes: a page may then have more entries than were asked for. Metadata
// is asked for because of placeholders alone.
func (d *driver) List(ctx context.Context, r *storage.ListRequest) (*storage.Page, error) {
	marker, last, err := parsePageToken(r.Token)
	if err != nil {
		return nil, err
	}
	o := &container.ListBlobsHierarchyOptions{
		Include:    container.ListBlobsInclude{Metadata: true},
		Prefix:     httpheader.Optional(r.Prefix),
		Marker:     httpheader.Optional(marker),
		MaxResults: to.Ptr(int32(min(r.Limit, maxPage))),
	}
	first := r.Token == ""
	if first && r.StartAfter > r.Prefix && !strings.HasPrefix(r.StartAfter, r.Prefix) {
		// Behind the prefix is nothing to list: is the container there?
		o.MaxResults = to.Ptr(int32(1))
		return &storage.Page{}, d.addEntries(ctx, r.Delimiter, o, &mergedPage{})
	}
	if first {
		o.StartFrom = httpheader.Optional(startFrom(r))
	}
	l := &mergedPage{entries: r.Entries[:0], last: last}
	if err := d.listInByteOrder(ctx, r, o, l); err != nil {
		return nil, err
	}
	slices.SortFunc(l.entries, func(a, b storage.ListEntry) int { return cmp.Compare(a.Key, b.Key) })
	if first && r.StartAfter != "" {
		l.entries = slices.DeleteFunc(l.entries, func(e storage.ListEntry) bool { return e.Key <= r.StartAfter })
	}
	page := &storage.Page{Entries: l.entries}
	if l.marker != "" {
		page.Token = encodePageToken(l.marker, l.last)
	}
	return page, nil
}

// listWhole lists a page, and on until what follows is behind all that is in it.
func (d *driver) listInByteOrder(ctx context.Context, r *storage.ListRequest, o *container.ListBlobsHierarchyOptions, l *mergedPage) error {
	for merging := false; ; {
		if err := d.addEntries(ctx, r.Delimiter, o, l); err != nil || l.marker == "" {
			return err
		}
		stems := mixedOrderPrefixes(l.entries, r.Prefix, l.last)
		if len(stems) == 0 {
			return nil
		}
		if !merging {
			found, err := d.hasAfterSurrogates(ctx, stems)
			if err != nil {
				return d.listError(err)
			}
			if !found {
				return nil
			}
			merging = true
		}
		if len(l.entries) > maxMerged {
			return &storage.Error{Code: storage.Unsupported, Hint: "too many keys have an emoji where others have a character from U+E000 on, which Azure lists in another order: list them by a longer prefix"}
		}
		if o.Marker != nil && *o.Marker == l.marker {
			return &storage.Error{Code: storage.Internal, Err: errors.New("the listing repeats a page")}
		}
		o.Marker, o.StartFrom = httpheader.Optional(l.marker), nil
	}
}

// listed is what has been listed, in Azure's order.
type mergedPage struct {
	entries []storage.ListEntry
	last    string // the greatest name so far, of what is hidden too
	marker  string // where it goes on
}

// addEntries adds a page of the service's. One that is in another order than it
// should be is of an account with a hierarchical namespace: to go on would be to
// lose keys.
func (d *driver) addEntries(ctx context.Context, delimiter string, o *container.ListBlobsHierarchyOptions, l *mergedPage) error {
	items, prefixes, marker, err := d.listPage(ctx, delimiter, o)
	if err != nil {
		return d.listError(err)
	}
	l.marker = marker
	lastItem, lastPrefix := l.last, l.last
	for _, item := range items {
		if item.Name == nil || item.Properties == nil {
			continue
		}
		if compareUTF16(*item.Name, lastItem) < 0 || isDirectory(item.Properties) {
			return errHierarchical
		}
		lastItem = *item.Name
		if !isPlaceholder(item) {
			l.entries = append(l.entries, listEntry(item))
		}
	}
	for _, prefix := range prefixes {
		name := deref(prefix.Name)
		if compareUTF16(name, lastPrefix) < 0 || isDirectory(prefix.Properties) {
			return errHierarchical
		}
		lastPrefix = name
		l.entries = append(l.entries, storage.ListEntry{Key: name, IsPrefix: true})
	}
	if l.last = lastItem; compareUTF16(lastPrefix, lastItem) > 0 {
		l.last = lastPrefix
	}
	return nil
}

var errHierarchical = &storage.Error{Code: storage.Unsupported, Err: errors.New("the listing is in no order of names"), Hint: hierarchicalHint}

// isDirectory is said of entries where the account has a hierarchical namespace.
func isDirectory(p *container.BlobProperties) bool {
	return p != nil && deref(p.ResourceType) == "directory"
}

// listPage is one page, flat or by a delimiter.
func (d *driver) listPage(ctx context.Context, delimiter string, o *container.ListBlobsHierarchyOptions) (items []*container.BlobItem, prefixes []*container.BlobPrefix, marker string, err error) {
	ctx = d.singleAttempt(ctx)
	if delimiter == "" {
		flat := container.ListBlobsFlatOptions{
			Include: o.Include, Marker: o.Marker, MaxResults: o.MaxResults, Prefix: o.Prefix, StartFrom: o.StartFrom,
		}
		out, err := d.container.NewListBlobsFlatPager(&flat).NextPage(ctx)
		if err == nil && out.Segment != nil {
			items = out.Segment.BlobItems
		}
		return items, nil, deref(out.NextMarker), err
	}
	out, err := d.container.NewListBlobsHierarchyPager(delimiter, o).NextPage(ctx)
	if err == nil && out.Segment != nil {
		items, prefixes = out.Segment.BlobItems, out.Segment.BlobPrefixes
	}
	return items, prefixes, deref(out.NextMarker), err
}

func listEntry(item *container.BlobItem) storage.ListEntry {
	p := item.Properties
	e := storage.ListEntry{Key: *item.Name, ETag: quoted(p.ETag), Revision: quoted(p.ETag), Modified: modified(p.LastModified)}
	if p.ContentLength != nil {
		e.Size = *p.ContentLength
	}
	return e
}

// isPlaceholder reports whether a blob stands for a directory: Hadoop's tools
// make them in accounts without a tree, too.
func isPlaceholder(item *container.BlobItem) bool {
	if length := item.Properties.ContentLength; length != nil && *length > 0 {
		return false
	}
	for name, value := range item.Metadata {
		if strings.EqualFold(name, "hdi_isfolder") && strings.EqualFold(deref(value), "true") {
			return true
		}
	}
	return false
}

// listFailed: nothing but a container can be missing to a listing.
func (d *driver) listError(err error) error {
	return sdkerror.FromListing(translate(err), d.bucketHint())
}

// A token is Azure's marker, and a key: the last one before it, or, of versions,
// the first one behind it.
func encodePageToken(marker, key string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(marker)) + "." + base64.RawURLEncoding.EncodeToString([]byte(key))
}

func parsePageToken(token string) (marker, key string, err error) {
	if token == "" {
		return "", "", nil
	}
	rawMarker, rawKey, found := strings.Cut(token, ".")
	markerBytes, err := base64.RawURLEncoding.DecodeString(rawMarker)
	keyBytes, err2 := base64.RawURLEncoding.DecodeString(rawKey)
	if err := errors.Join(err, err2); err != nil || !found {
		return "", "", invalid.Argument("token", "must be one of this container's", "")
	}
	return string(markerBytes), string(keyBytes), nil
}
