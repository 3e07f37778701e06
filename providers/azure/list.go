package azure

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/internal/transport"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/internal/pagetoken"
)

type lister struct{ container *blobContainer }

// List makes one List Blobs request. Azure does not list keys in byte order. If keys of Azure's
// next page may belong between the keys of this page, List also requests the next page, and so on.
// The page may then have more entries than the limit. List requests metadata only to recognize
// placeholders of directories.
func (d *objectDriver) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	marker, last, err := pagetoken.Parse(r.Token)
	if err != nil {
		return nil, err
	}

	o := &container.ListBlobsHierarchyOptions{
		Include:    container.ListBlobsInclude{Metadata: true},
		Prefix:     httpheader.Optional(r.Prefix),
		Marker:     httpheader.Optional(marker),
		MaxResults: new(int32(min(r.Limit, maxPage))),
	}

	first := r.Token == ""
	if first && r.StartAfter > r.Prefix && !strings.HasPrefix(r.StartAfter, r.Prefix) {
		// StartAfter is after all keys with the prefix, so the page is empty. The request only
		// determines whether the container exists.
		o.MaxResults = new(int32(1))
		return &storage.Page{}, d.lister.addEntries(ctx, r.Delimiter, o, &mergedPage{})
	}
	if first {
		o.StartFrom = httpheader.Optional(startFrom(r))
	}

	l := &mergedPage{entries: r.Entries[:0], lastName: last}
	if d.account.hierarchical {
		err = d.lister.addEntries(ctx, r.Delimiter, o, l) // in the service's order
	} else {
		err = d.lister.listInByteOrder(ctx, r, o, l)
		slices.SortFunc(l.entries, func(a, b storage.ListEntry) int { return cmp.Compare(a.Key, b.Key) })
	}
	if err != nil {
		return nil, err
	}

	if first && r.StartAfter != "" {
		l.entries = slices.DeleteFunc(l.entries, func(e storage.ListEntry) bool { return e.Key <= r.StartAfter })
	}

	page := &storage.Page{Entries: l.entries}
	if l.marker != "" {
		page.Token = pagetoken.Encode(l.marker, l.lastName)
	}
	return page, nil
}

// listInByteOrder reads pages of Azure, which are not in byte order. It reads more pages as long as a
// later page may have a key that belongs before a key that it has read.
func (ls *lister) listInByteOrder(
	ctx context.Context, r *driver.ListRequest, o *container.ListBlobsHierarchyOptions, l *mergedPage,
) error {
	var checker markers
	for merging := false; ; {
		n := len(l.entries)
		if err := ls.addEntries(ctx, r.Delimiter, o, l); err != nil || l.marker == "" {
			return err
		}
		stems := mixedOrderPrefixes(l.entries, r.Prefix, l.lastName)
		if len(stems) == 0 {
			return nil
		}
		if !merging {
			ok, err := ls.hasAfterSurrogates(ctx, stems)
			if err != nil {
				return ls.container.listError(err)
			}
			if !ok {
				return nil
			}
			merging = true
		}
		if len(l.entries) > maxMerged {
			return &storage.Error{
				Code: storage.Unsupported,
				Hint: "too many keys differ in an emoji and a character from U+E000 on, which Azure lists in another order: use a longer prefix",
			}
		}
		if err := checker.check(l.marker, len(l.entries)-n); err != nil {
			return err
		}
		o.Marker = httpheader.Optional(l.marker)
		o.StartFrom = nil
	}
}

// A mergedPage has the entries listed so far, in Azure's order.
type mergedPage struct {
	entries  []storage.ListEntry
	lastName string // the greatest name so far in Azure's order, including names that List omits
	marker   string // marker of Azure's next page
}

// addEntries adds one page of the service to l. A page that is not in order shows that the account
// has a hierarchical namespace. Then addEntries fails, unless Config.HierarchicalNamespace is set:
// continuing would lose keys.
func (ls *lister) addEntries(
	ctx context.Context, delimiter string, o *container.ListBlobsHierarchyOptions, l *mergedPage,
) error {
	items, prefixes, marker, err := ls.page(ctx, delimiter, o)
	if err != nil {
		return ls.container.listError(err)
	}

	l.marker = marker
	ordered := !ls.container.account.hierarchical
	lastItem := l.lastName
	lastPrefix := l.lastName

	for _, item := range items {
		if item.Name == nil || item.Properties == nil {
			continue
		}
		if ordered && (compareUTF16(*item.Name, lastItem) < 0 || isDirectory(item.Properties)) {
			return errHierarchical
		}
		lastItem = *item.Name
		if !isDirectory(item.Properties) && !isPlaceholder(item) && !isReserved(*item.Name) {
			l.entries = append(l.entries, listEntry(item))
		}
	}

	for _, prefix := range prefixes {
		name := deref(prefix.Name)
		if ordered && (compareUTF16(name, lastPrefix) < 0 || isDirectory(prefix.Properties)) {
			return errHierarchical
		}
		lastPrefix = name
		isHidden := isReserved(name)
		if strings.HasPrefix(reservedPrefix, name) {
			if isHidden, err = ls.hidesOnlyReserved(ctx, name); err != nil {
				return err
			}
		}
		if !isHidden {
			l.entries = append(l.entries, storage.ListEntry{Key: name, IsPrefix: true})
		}
	}

	l.lastName = lastItem
	if compareUTF16(lastPrefix, lastItem) > 0 {
		l.lastName = lastPrefix
	}
	return nil
}

var errHierarchical = &storage.Error{
	Code: storage.Unsupported,
	Err:  errors.New("the listing is not in the order of keys"),
	Hint: unorderedHint,
}

// isDirectory reports whether an entry is a directory, as in accounts with a
// hierarchical namespace.
func isDirectory(p *container.BlobProperties) bool {
	return p != nil && deref(p.ResourceType) == "directory"
}

// smallPage is the number of entries in a small page. Such a page has at most 12 MiB, even if each
// key has 1,024 characters, each object has 8 KiB of metadata, and XML escapes every character.
const smallPage = 250

// page returns one page of the service, flat or with a delimiter. If the response is too long to
// read, the method page sends another request, for only smallPage entries.
func (ls *lister) page(
	ctx context.Context, delimiter string, o *container.ListBlobsHierarchyOptions,
) (items []*container.BlobItem, prefixes []*container.BlobPrefix, marker string, err error) {
	items, prefixes, marker, err = ls.requestPage(ctx, delimiter, o)
	if errors.Is(err, transport.ErrTooLong) && *o.MaxResults > smallPage {
		small := *o
		small.MaxResults = new(int32(smallPage))
		return ls.requestPage(ctx, delimiter, &small)
	}
	return items, prefixes, marker, err
}

// pages calls visit with the blobs of each page of a flat listing, until visit returns false.
func (ls *lister) pages(
	ctx context.Context, o *container.ListBlobsHierarchyOptions,
	visit func(items []*container.BlobItem) (hasMore bool, err error),
) error {
	var checker markers
	for {
		items, _, marker, err := ls.page(ctx, "", o)
		if err != nil {
			return ls.container.listError(err)
		}
		if hasMore, err := visit(items); err != nil || !hasMore || marker == "" {
			return err
		}
		if err := checker.check(marker, len(items)); err != nil {
			return err
		}
		o.Marker = httpheader.Optional(marker)
	}
}

func (ls *lister) requestPage(
	ctx context.Context, delimiter string, o *container.ListBlobsHierarchyOptions,
) (items []*container.BlobItem, prefixes []*container.BlobPrefix, marker string, err error) {
	if delimiter == "" {
		flat := container.ListBlobsFlatOptions(*o)
		resp, err := nextPage(ctx, ls.container.account, ls.container.client.NewListBlobsFlatPager(&flat))
		if err == nil && resp.Segment != nil {
			items = resp.Segment.BlobItems
		}
		return items, nil, deref(resp.NextMarker), err
	}
	resp, err := nextPage(ctx, ls.container.account, ls.container.client.NewListBlobsHierarchyPager(delimiter, o))
	if err == nil && resp.Segment != nil {
		items = resp.Segment.BlobItems
		prefixes = resp.Segment.BlobPrefixes
	}
	return items, prefixes, deref(resp.NextMarker), err
}

// hidesOnlyReserved reports whether all keys with a prefix are reserved for this package. If so,
// List does not return the prefix, because callers do not see reserved keys.
func (ls *lister) hidesOnlyReserved(ctx context.Context, prefix string) (hides bool, err error) {
	o := &container.ListBlobsHierarchyOptions{Prefix: new(prefix), MaxResults: new(int32(maxPage))}
	err = ls.pages(ctx, o, func(items []*container.BlobItem) (bool, error) {
		hides = !slices.ContainsFunc(items, func(item *container.BlobItem) bool { return !isReserved(deref(item.Name)) })
		return hides, nil
	})
	return hides, err
}

func listEntry(item *container.BlobItem) storage.ListEntry {
	p := item.Properties
	return storage.ListEntry{
		Key:          *item.Name,
		Size:         deref(p.ContentLength),
		ETag:         quoteETag(p.ETag),
		Revision:     quoteETag(p.ETag),
		Modified:     wholeSeconds(p.LastModified),
		StorageClass: storageClass((*string)(p.AccessTier), deref(p.AccessTierInferred)),
	}
}

// isPlaceholder reports whether a blob represents a directory. Hadoop's tools create such blobs
// even in accounts without directories.
func isPlaceholder(item *container.BlobItem) bool {
	if deref(item.Properties.ContentLength) > 0 {
		return false
	}
	for name, value := range item.Metadata {
		if strings.EqualFold(name, "hdi_isfolder") && strings.EqualFold(deref(value), "true") {
			return true
		}
	}
	return false
}

// listError returns the error for a failed listing. A 404 to a listing means that the container is
// missing.
func (bc *blobContainer) listError(err error) error {
	return sdkerror.FromListing(translate(err), bc.missingHint())
}

// markers detects a server that repeats pages. It checks the markers of the pages that one call
// reads.
type markers struct {
	pages, emptyPages int
	saved             string // marker of an earlier page, replaced each time the number of pages has doubled
}

// check returns an error if a marker repeats, or if too many pages in a row have no entries.
func (m *markers) check(next string, entries int) error {
	m.emptyPages++
	if entries > 0 {
		m.emptyPages = 0
	}
	if next == m.saved || m.emptyPages == maxEmptyPages {
		return &storage.Error{Code: storage.Unavailable, Retryable: true, Err: errors.New("the listing repeats a page")}
	}
	m.pages++
	if m.pages&(m.pages-1) == 0 {
		m.saved = next
	}
	return nil
}
