package azure

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/internal/pagetoken"
)

// ListVersions returns one page. For each key on the page, the page has all versions, newest first.
// Azure lists the versions of a key oldest first, so ListVersions reads Azure's pages until it has
// all versions of a key. If another page of Azure follows, that page may have more versions of the
// last key. ListVersions then omits the last key, and the next call begins with this key.
//
// Versions of the parts of open uploads are listed only if the prefix begins with reservedPrefix.
// Some of them may remain after their upload. This listing finds them, so that they can be removed
// later.
func (d *objectDriver) ListVersions(ctx context.Context, r *driver.ListRequest) (*driver.VersionPage, error) {
	marker, startKey, err := pagetoken.Parse(r.Token)
	if err != nil {
		return nil, err
	}

	page := &driver.VersionPage{}
	var checker loopDetector
	lastKeyIndex := 0   // index of the last key's first entry
	lastKeyMarker := "" // marker of Azure's page with that entry
	for {
		items, nextMarker, err := d.lister.versions(ctx, r, marker)
		if err != nil {
			return nil, err
		}

		for _, item := range items {
			if !isListedVersion(item, r) {
				continue
			}
			key := *item.Name
			if compareUTF16(key, startKey) < 0 {
				// The page before had all versions of this key.
				continue
			}

			// Remember where the versions of the last key begin.
			count := len(page.Entries)
			if count == 0 || page.Entries[count-1].Key != key {
				lastKeyIndex = count
				lastKeyMarker = marker
			}
			page.Entries = append(page.Entries, listedVersion(item))
		}

		if nextMarker == "" {
			// The last key is complete, too.
			slices.SortFunc(page.Entries, byKeyNewestFirst)
			return page, nil
		}
		if lastKeyIndex > 0 {
			// All versions of the keys before the last key are listed.
			page.Token = pagetoken.Encode(lastKeyMarker, page.Entries[lastKeyIndex].Key)
			page.Entries = page.Entries[:lastKeyIndex]
			slices.SortFunc(page.Entries, byKeyNewestFirst)
			return page, nil
		}
		// No key is complete yet, so read another page.
		if err := checker.check(nextMarker, len(items)); err != nil {
			return nil, err
		}
		marker = nextMarker
	}
}

// isListedVersion reports whether the listing of r has an entry for item. It lists either versions or
// soft-deleted blobs. Reserved keys are hidden, unless the prefix is reserved, too.
func isListedVersion(item *container.BlobItem, r *driver.ListRequest) bool {
	if item.Name == nil || item.Properties == nil || isPlaceholder(item) {
		return false
	}
	if isReserved(*item.Name) && !isReserved(r.Prefix) {
		return false
	}
	if r.SoftDeleted {
		return isSoftDeleted(item)
	}
	return deref(item.VersionID) != ""
}

// versions returns one page of the listing of versions, and the marker of the next page, which is
// "" for the last page.
func (ls *lister) versions(
	ctx context.Context, r *driver.ListRequest, marker string,
) ([]*container.BlobItem, string, error) {
	// A page with one version cannot show whether the key has more.
	const minPage = 2
	o := container.ListBlobsHierarchyOptions{
		Include:    container.ListBlobsInclude{Versions: true, Deleted: r.SoftDeleted, Metadata: true},
		Prefix:     httpheader.Optional(r.Prefix),
		Marker:     httpheader.Optional(marker),
		MaxResults: new(int32(min(max(r.Limit, minPage), maxPage))),
	}
	items, _, next, err := ls.page(ctx, "", &o)
	if err != nil {
		return nil, "", ls.container.listError(err)
	}
	return items, next, nil
}

// listedVersion converts a version or a soft-deleted blob in a listing to an entry. A soft-deleted blob
// is never current.
func listedVersion(item *container.BlobItem) storage.VersionEntry {
	e := storage.VersionEntry{ListEntry: listEntry(item), Version: deref(item.VersionID), Current: isCurrent(item)}
	if isSoftDeleted(item) {
		e.Current = false
		e.NoncurrentSince = wholeSeconds(item.Properties.DeletedTime)
		e.SoftDeletedUntil = expiryOfDeleted(item.Properties, time.Now())
	}
	return e
}

// byKeyNewestFirst compares by key, and then by version. Versions are times of equal length, so
// they compare as strings.
func byKeyNewestFirst(a, b storage.VersionEntry) int {
	return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(b.Version, a.Version))
}
