package azure

import (
	"cmp"
	"context"
	"errors"
	"iter"
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

// List makes one List Blobs request. Azure does not list keys in byte order, so List also requests
// the next page while its keys may belong between those of this page. The page may then exceed the
// limit. It requests metadata only to recognize placeholders of directories.
func (d *objectDriver) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	// The token has Azure's marker of the page, and the last name before the page.
	marker, lastName, err := pagetoken.Parse(r.Token)
	if err != nil {
		return nil, err
	}

	opts := &container.ListBlobsHierarchyOptions{
		Include:    container.ListBlobsInclude{Metadata: true},
		Prefix:     httpheader.Optional(r.Prefix),
		Marker:     httpheader.Optional(marker),
		MaxResults: new(int32(min(r.Limit, maxPage))),
	}

	isFirstPage := r.Token == ""
	if isFirstPage {
		startsAfterAll := r.StartAfter > r.Prefix && !strings.HasPrefix(r.StartAfter, r.Prefix)
		if startsAfterAll {
			return d.lister.emptyPage(ctx, r.Delimiter, opts)
		}
		opts.StartFrom = httpheader.Optional(startFrom(r))
	}

	merged := &mergedPage{entries: r.Entries[:0], lastName: lastName}
	if d.account.isHierarchical {
		// Such an account has its own order of keys. The engine lists it only with WithAnyOrder.
		err = d.lister.addEntries(ctx, r.Delimiter, opts, merged)
	} else {
		err = d.lister.listInByteOrder(ctx, r, opts, merged)
	}
	if err != nil {
		return nil, err
	}

	page := &storage.Page{Entries: merged.entries}
	if isFirstPage && r.StartAfter != "" {
		// startFrom may begin before StartAfter.
		page.Entries = slices.DeleteFunc(page.Entries, func(e storage.ListEntry) bool { return e.Key <= r.StartAfter })
	}
	if merged.marker != "" {
		page.Token = pagetoken.Encode(merged.marker, merged.lastName)
	}
	return page, nil
}

// emptyPage returns the page of a listing that starts after all keys with its prefix. The request only
// shows whether the container exists.
func (ls *lister) emptyPage(
	ctx context.Context, delimiter string, opts *container.ListBlobsHierarchyOptions,
) (*storage.Page, error) {
	opts.MaxResults = new(int32(1))
	if err := ls.addEntries(ctx, delimiter, opts, &mergedPage{}); err != nil {
		return nil, err
	}
	return &storage.Page{}, nil
}

// listInByteOrder adds a page of Azure to merged. It adds the next pages, too, while they may have a key
// that belongs between the entries. Then it sorts the entries by the bytes of their keys.
func (ls *lister) listInByteOrder(
	ctx context.Context, r *driver.ListRequest, opts *container.ListBlobsHierarchyOptions, merged *mergedPage,
) error {
	if err := ls.mergePages(ctx, r, opts, merged); err != nil {
		return err
	}
	slices.SortFunc(merged.entries, func(a, b storage.ListEntry) int { return cmp.Compare(a.Key, b.Key) })
	return nil
}

// mergePages adds pages of Azure to merged, until no later page can have a key that belongs, in byte
// order, before one of the entries. Azure lists a few characters in another order (see order.go).
func (ls *lister) mergePages(
	ctx context.Context, r *driver.ListRequest, opts *container.ListBlobsHierarchyOptions, merged *mergedPage,
) error {
	var checker loopDetector
	for {
		oldCount := len(merged.entries)
		if err := ls.addEntries(ctx, r.Delimiter, opts, merged); err != nil {
			return err
		}
		needsNext, err := ls.needsNextPage(ctx, r.Prefix, merged)
		if err != nil {
			return err
		}
		if !needsNext {
			return nil
		}

		if len(merged.entries) > maxMerged {
			return &storage.Error{
				Code: storage.Unsupported,
				Hint: "too many keys differ in an emoji and a character from U+E000 on, which Azure lists in another order: use a longer prefix",
			}
		}
		// A server that repeats pages would never end the listing.
		if err := checker.check(merged.marker, len(merged.entries)-oldCount); err != nil {
			return err
		}
		opts.Marker = httpheader.Optional(merged.marker)
		opts.StartFrom = nil
	}
}

// needsNextPage reports whether the next page of Azure may have a key that belongs, in byte order, before
// one of the entries of merged. prefix is that of the listing.
func (ls *lister) needsNextPage(ctx context.Context, prefix string, merged *mergedPage) (bool, error) {
	if merged.marker == "" {
		// This was Azure's last page.
		return false, nil
	}
	// A key of a later page can belong before an entry only if it has one of these prefixes.
	prefixes := mixedOrderPrefixes(merged.entries, prefix, merged.lastName)
	if len(prefixes) == 0 {
		return false, nil
	}
	if merged.hasOtherOrder {
		return true, nil
	}

	hasOtherOrder, err := ls.hasAfterSurrogates(ctx, prefixes)
	if err != nil {
		return false, ls.container.listError(err)
	}
	merged.hasOtherOrder = hasOtherOrder
	return hasOtherOrder, nil
}

// A mergedPage has the entries listed so far, in Azure's order.
type mergedPage struct {
	entries  []storage.ListEntry
	lastName string // the greatest name so far in Azure's order, including names that List omits
	marker   string // marker of Azure's next page
	// hasOtherOrder is true once the container is known to have keys that Azure lists in another order.
	hasOtherOrder bool
}

// addEntries adds one page of the service to merged. It fails for a page that is not in order, unless
// [Config.HierarchicalNamespace] is set. Only an account with a hierarchical namespace has such pages,
// and a caller that continues after the last key of one would miss other keys.
func (ls *lister) addEntries(
	ctx context.Context, delimiter string, opts *container.ListBlobsHierarchyOptions, merged *mergedPage,
) error {
	items, prefixes, marker, err := ls.page(ctx, delimiter, opts)
	if err != nil {
		return ls.container.listError(err)
	}
	merged.marker = marker

	// The response has two lists, one of blobs and one of prefixes. Each is in order by itself.
	lastBlob, err := ls.addBlobs(items, merged)
	if err != nil {
		return err
	}
	lastPrefix, err := ls.addPrefixes(ctx, prefixes, merged)
	if err != nil {
		return err
	}

	// The next page must continue after the last name of both lists.
	merged.lastName = lastBlob
	if compareUTF16(lastPrefix, lastBlob) > 0 {
		merged.lastName = lastPrefix
	}
	return nil
}

// addBlobs adds to merged those listed blobs that are objects of the user, and not directories or blobs
// of this package. It returns the name of the last blob of any kind, or merged.lastName without blobs.
func (ls *lister) addBlobs(items []*container.BlobItem, merged *mergedPage) (lastName string, err error) {
	lastName = merged.lastName
	for _, item := range items {
		if item.Name == nil || item.Properties == nil {
			continue
		}
		if err := ls.checkOrder(lastName, *item.Name, item.Properties); err != nil {
			return "", err
		}
		lastName = *item.Name
		isObject := !isDirectory(item.Properties) && !isPlaceholder(item)
		if isObject && !isReserved(*item.Name) {
			merged.entries = append(merged.entries, listEntry(item))
		}
	}
	return lastName, nil
}

// addPrefixes adds to merged the listed prefixes, except those of reserved keys. It returns the last
// prefix of any kind, or merged.lastName if there is none.
func (ls *lister) addPrefixes(
	ctx context.Context, prefixes []*container.BlobPrefix, merged *mergedPage,
) (lastName string, err error) {
	lastName = merged.lastName
	for _, prefix := range prefixes {
		name := deref(prefix.Name)
		if err := ls.checkOrder(lastName, name, prefix.Properties); err != nil {
			return "", err
		}
		lastName = name
		isHidden, err := ls.hidesPrefix(ctx, name)
		if err != nil {
			return "", err
		}
		if !isHidden {
			merged.entries = append(merged.entries, storage.ListEntry{Key: name, IsPrefix: true})
		}
	}
	return lastName, nil
}

// checkOrder returns errHierarchical if a listed name is not in order after nameBefore, or if it is a
// directory. Only an account with a hierarchical namespace lists such names.
func (ls *lister) checkOrder(nameBefore, name string, p *container.BlobProperties) error {
	if ls.container.account.isHierarchical { // the user has set Config.HierarchicalNamespace
		return nil
	}
	if compareUTF16(name, nameBefore) < 0 || isDirectory(p) {
		return errHierarchical
	}
	return nil
}

// hidesPrefix reports whether List omits a prefix, because all keys with the prefix are reserved
// for this package. It lists the keys if the prefix is so short that other keys may have it, too.
func (ls *lister) hidesPrefix(ctx context.Context, prefix string) (bool, error) {
	if strings.HasPrefix(reservedPrefix, prefix) {
		return ls.hasOnlyReserved(ctx, prefix)
	}
	return isReserved(prefix), nil
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

// page returns one page of the service, and the marker of the next page. With a delimiter, the page also
// has common prefixes. If the response is too long to read, page requests only smallPage entries.
func (ls *lister) page(
	ctx context.Context, delimiter string, opts *container.ListBlobsHierarchyOptions,
) (items []*container.BlobItem, prefixes []*container.BlobPrefix, marker string, err error) {
	items, prefixes, marker, err = ls.requestPage(ctx, delimiter, opts)
	isTooLong := errors.Is(err, transport.ErrTooLong)
	if isTooLong && *opts.MaxResults > smallPage {
		smallOpts := *opts
		smallOpts.MaxResults = new(int32(smallPage))
		return ls.requestPage(ctx, delimiter, &smallOpts)
	}
	return items, prefixes, marker, err
}

// pages returns an iterator over the pages of a flat listing, which are lists of blobs. An error is the
// last value.
func (ls *lister) pages(
	ctx context.Context, opts *container.ListBlobsHierarchyOptions,
) iter.Seq2[[]*container.BlobItem, error] {
	return func(yield func([]*container.BlobItem, error) bool) {
		var checker loopDetector
		for {
			items, _, marker, err := ls.page(ctx, "", opts)
			if err != nil {
				yield(nil, ls.container.listError(err))
				return
			}
			needsMore := yield(items, nil)
			if !needsMore || marker == "" {
				return
			}
			if err := checker.check(marker, len(items)); err != nil {
				yield(nil, err)
				return
			}
			opts.Marker = httpheader.Optional(marker)
		}
	}
}

// requestPage makes one List Blobs request, which returns prefixes only with a delimiter. The
// marker is "" after the last page.
func (ls *lister) requestPage(
	ctx context.Context, delimiter string, opts *container.ListBlobsHierarchyOptions,
) (items []*container.BlobItem, prefixes []*container.BlobPrefix, marker string, err error) {
	client := ls.container.client
	if delimiter == "" {
		// The SDK has another call for this request, whose response has no prefixes.
		flat := container.ListBlobsFlatOptions(*opts)
		resp, err := nextPage(ctx, ls.container.account, client.NewListBlobsFlatPager(&flat))
		if err != nil {
			return nil, nil, "", err
		}
		if resp.Segment == nil {
			return nil, nil, deref(resp.NextMarker), nil
		}
		return resp.Segment.BlobItems, nil, deref(resp.NextMarker), nil
	}

	resp, err := nextPage(ctx, ls.container.account, client.NewListBlobsHierarchyPager(delimiter, opts))
	if err != nil {
		return nil, nil, "", err
	}
	if resp.Segment == nil {
		return nil, nil, deref(resp.NextMarker), nil
	}
	return resp.Segment.BlobItems, resp.Segment.BlobPrefixes, deref(resp.NextMarker), nil
}

// hasOnlyReserved reports whether all keys with a prefix are reserved for this package. It lists the keys
// until one is not reserved.
func (ls *lister) hasOnlyReserved(ctx context.Context, prefix string) (bool, error) {
	opts := &container.ListBlobsHierarchyOptions{Prefix: new(prefix), MaxResults: new(int32(maxPage))}
	for items, err := range ls.pages(ctx, opts) {
		if err != nil {
			return false, err
		}
		for _, item := range items {
			if !isReserved(deref(item.Name)) {
				return false, nil
			}
		}
	}
	return true, nil
}

// listEntry converts a blob in a listing, which must have a name and properties, to an entry.
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

// isPlaceholder reports whether a blob is empty and represents a directory. Hadoop's tools create such
// blobs, with the metadata hdi_isfolder, even in accounts without directories.
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

// A loopDetector detects a server that repeats pages. It checks the markers of the pages that one call
// reads.
type loopDetector struct {
	pages, emptyPages int
	saved             string // marker of an earlier page, replaced each time the number of pages has doubled
}

// check returns an error if a marker repeats, or if too many pages in a row have no entries. It
// saves the marker of pages 1, 2, 4, 8 and so on, in place of the one before. So a cycle of any
// length meets a saved marker.
func (d *loopDetector) check(next string, entries int) error {
	d.emptyPages++
	if entries > 0 {
		d.emptyPages = 0
	}
	if next == d.saved || d.emptyPages == maxEmptyPages {
		return &storage.Error{
			Code:      storage.Unavailable,
			Retryable: true,
			Err:       errors.New("the listing repeats a page"),
		}
	}

	d.pages++
	isPowerOfTwo := d.pages&(d.pages-1) == 0
	if isPowerOfTwo {
		d.saved = next
	}
	return nil
}
