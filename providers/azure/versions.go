package azure

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/internal/pagetoken"
)

// ListVersions returns one page with all versions of its keys, newest first.
// Azure lists the oldest first, so ListVersions reads as many of Azure's pages as
// needed. If Azure's page ends within a key, that key is on the next page, which
// reads Azure's page again. Versions of parts of open uploads are listed only under reservedPrefix,
// so that those which nobody could remove with their upload can be removed.
func (d *objectDriver) ListVersions(ctx context.Context, r *driver.ListRequest) (*driver.VersionPage, error) {
	shown := func(item *container.BlobItem) bool { return deref(item.VersionID) != "" }
	if r.SoftDeleted {
		shown = isSoftDeleted
	}
	marker, from, err := pagetoken.Parse(r.Token)
	if err != nil {
		return nil, err
	}
	var gathered versionGroups
	var followed markers
	for {
		items, next, err := d.lister.versions(ctx, r, marker)
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			if item.Name != nil && item.Properties != nil && compareUTF16(*item.Name, from) >= 0 && shown(item) && !isPlaceholder(item) && (!isReserved(*item.Name) || isReserved(r.Prefix)) {
				gathered.add(item, marker)
			}
		}
		switch {
		case next == "":
			return &driver.VersionPage{Entries: gathered.all()}, nil
		case gathered.completeCount() > 0:
			return &driver.VersionPage{Entries: gathered.complete(), Token: pagetoken.Encode(gathered.marker, gathered.key())}, nil
		}
		if err := followed.check(next, len(items)); err != nil {
			return nil, err
		}
		marker = next
	}
}

func (ls *lister) versions(ctx context.Context, r *driver.ListRequest, marker string) ([]*container.BlobItem, string, error) {
	o := container.ListBlobsHierarchyOptions{
		Include:    container.ListBlobsInclude{Versions: true, Deleted: r.SoftDeleted, Metadata: true},
		Prefix:     httpheader.Optional(r.Prefix),
		Marker:     httpheader.Optional(marker),
		MaxResults: to.Ptr(int32(min(max(r.Limit, 2), maxPage))),
	}
	items, _, next, err := ls.page(ctx, "", &o)
	if err != nil {
		return nil, "", ls.container.listError(err)
	}
	return items, next, nil
}

// A versionGroups has entries by key, with the oldest version of a key first.
type versionGroups struct {
	entries []storage.VersionEntry
	last    int    // index of the first entry of the last key
	marker  string // of Azure's page with that entry
}

func (g *versionGroups) add(item *container.BlobItem, marker string) {
	e := storage.VersionEntry{ListEntry: listEntry(item), Version: deref(item.VersionID)}
	e.Current = isCurrent(item)
	if isSoftDeleted(item) {
		e.Current, e.NoncurrentSince, e.SoftDeletedUntil = false, modified(item.Properties.DeletedTime), keptUntil(item.Properties, time.Now())
	}
	if n := len(g.entries); n == 0 || g.entries[n-1].Key != e.Key {
		g.last, g.marker = n, marker
	}
	g.entries = append(g.entries, e)
}

// completeCount returns how many entries belong to complete keys.
func (g *versionGroups) completeCount() int { return g.last }

func (g *versionGroups) key() string { return g.entries[g.last].Key }

func (g *versionGroups) complete() []storage.VersionEntry { return newestFirst(g.entries[:g.last]) }

func (g *versionGroups) all() []storage.VersionEntry { return newestFirst(g.entries) }

// newestFirst sorts by key, and then by version, newest first. Versions are times
// of equal length.
func newestFirst(entries []storage.VersionEntry) []storage.VersionEntry {
	slices.SortFunc(entries, func(a, b storage.VersionEntry) int {
		if by := strings.Compare(a.Key, b.Key); by != 0 {
			return by
		}
		return strings.Compare(b.Version, a.Version)
	})
	return entries
}
