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
	isVersion := func(item *container.BlobItem) bool { return deref(item.VersionID) != "" }
	if r.SoftDeleted {
		isVersion = isSoftDeleted
	}

	marker, start, err := pagetoken.Parse(r.Token)
	if err != nil {
		return nil, err
	}

	page := &driver.VersionPage{}
	checker := markers{}
	// last is the index of the last key's first entry, and lastMarker the marker of Azure's page with that
	// entry.
	last := 0
	lastMarker := ""

	for {
		items, next, err := d.lister.versions(ctx, r, marker)
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			if item.Name == nil || item.Properties == nil || compareUTF16(*item.Name, start) < 0 || !isVersion(item) ||
				isPlaceholder(item) ||
				isReserved(*item.Name) && !isReserved(r.Prefix) {
				continue
			}
			if n := len(page.Entries); n == 0 || page.Entries[n-1].Key != *item.Name {
				last = n
				lastMarker = marker
			}
			page.Entries = append(page.Entries, listedVersion(item))
		}

		if next == "" || last > 0 {
			if next != "" {
				page.Token = pagetoken.Encode(lastMarker, page.Entries[last].Key)
				page.Entries = page.Entries[:last]
			}
			slices.SortFunc(page.Entries, byKeyNewestFirst)
			return page, nil
		}

		if err := checker.check(next, len(items)); err != nil {
			return nil, err
		}
		marker = next
	}
}

func (ls *lister) versions(
	ctx context.Context, r *driver.ListRequest, marker string,
) ([]*container.BlobItem, string, error) {
	o := container.ListBlobsHierarchyOptions{
		Include:    container.ListBlobsInclude{Versions: true, Deleted: r.SoftDeleted, Metadata: true},
		Prefix:     httpheader.Optional(r.Prefix),
		Marker:     httpheader.Optional(marker),
		MaxResults: new(int32(min(max(r.Limit, 2), maxPage))),
	}
	items, _, next, err := ls.page(ctx, "", &o)
	if err != nil {
		return nil, "", ls.container.listError(err)
	}
	return items, next, nil
}

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
