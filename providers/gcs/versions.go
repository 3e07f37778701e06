package gcs

import (
	"cmp"
	"context"
	"slices"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

var versionFields = append([]string{"Deleted"}, listedFields...)

var removedFields = append([]string{"SoftDeleteTime", "HardDeleteTime"}, listedFields...)

// ListVersions returns one page. A page never has only some versions of a key, even if it exceeds
// the limit. For each key, the server lists the newest version last, but the page must list it
// first. So ListVersions needs all versions of a key to sort them. The page token is the first key
// of the next page.
func (d *objectDriver) ListVersions(ctx context.Context, r *driver.ListRequest) (*driver.VersionPage, error) {
	query := &gcs.Query{
		Prefix:      r.Prefix,
		Versions:    !r.SoftDeleted,
		SoftDeleted: r.SoftDeleted,
		StartOffset: r.Token,
		Projection:  gcs.ProjectionNoACL,
	}

	fields := versionFields
	if r.SoftDeleted {
		fields = removedFields
	}

	found, token, err := d.bucket.readFirstKey(ctx, query, fields, r.Limit+1)
	if err != nil {
		return nil, err
	}

	// The last key may have more versions, so the next page begins with it.
	page := &driver.VersionPage{}
	isLastPage := token == ""
	if !isLastPage {
		lastKey := found[len(found)-1].Name
		page.Token = lastKey
		first := slices.IndexFunc(found, func(o *gcs.ObjectAttrs) bool { return o.Name == lastKey })
		found = found[:first]
	}

	newestFirst(found)
	for _, o := range found {
		if !isReserved(o.Name) {
			page.Entries = append(page.Entries, versionEntry(o, r.SoftDeleted))
		}
	}
	return page, nil
}

// versionEntry converts a version, which comes from a listing of soft-deleted objects if softDeleted is
// true.
func versionEntry(o *gcs.ObjectAttrs, softDeleted bool) storage.VersionEntry {
	e := storage.VersionEntry{ListEntry: entryOf(o), Version: decimal(o.Generation)}
	if softDeleted {
		e.NoncurrentSince = o.SoftDeleteTime.UTC()
		e.SoftDeletedUntil = o.HardDeleteTime.UTC()
		return e
	}
	e.Current = o.Deleted.IsZero()
	e.NoncurrentSince = o.Deleted
	return e
}

// readFirstKey requests pages until they have all versions of the first key, which is so when another key
// follows. It returns the versions in all of these pages, and the token of the next page or "".
func (b *bucket) readFirstKey(
	ctx context.Context, query *gcs.Query, fields []string, limit int,
) (versions []*gcs.ObjectAttrs, token string, err error) {
	for {
		objects, nextToken, err := b.page(ctx, query, fields, limit, token)
		if err != nil {
			return nil, "", err
		}
		if nextToken != "" && nextToken == token {
			return nil, "", errRepeatedPage
		}
		versions = append(versions, objects...)
		token = nextToken

		hasOtherKey := len(versions) > 0 && versions[0].Name != versions[len(versions)-1].Name
		if token == "" || hasOtherKey {
			return versions, token, nil
		}
	}
}

// newestFirst sorts the versions of each key from the newest to the oldest, since Google lists the
// oldest first. The keys stay in the server's order, which the engine checks (rule K4).
func newestFirst(objects []*gcs.ObjectAttrs) {
	for len(objects) > 0 {
		// The versions before end have the same key.
		end := slices.IndexFunc(objects, func(o *gcs.ObjectAttrs) bool { return o.Name != objects[0].Name })
		if end < 0 {
			end = len(objects)
		}
		slices.SortFunc(objects[:end], func(a, b *gcs.ObjectAttrs) int { return cmp.Compare(b.Generation, a.Generation) })
		objects = objects[end:]
	}
}
