package s3server

import (
	"context"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// List uses the position of its last entry as the token.
func (d *bucketDriver) List(ctx context.Context, in *driver.ListRequest) (*storage.Page, error) {
	after, kind := state.Position{Key: in.StartAfter}, ""
	if in.Token != "" {
		kind, after.Key = in.Token[:1], in.Token[1:]
		after.Prefix = kind == "p"
	}
	page, last := &storage.Page{Entries: in.Entries[:0]}, ""
	l := state.Listing{Prefix: in.Prefix, Delimiter: in.Delimiter, Max: in.Limit}
	more, err := d.handler.store.List(ctx, d.bucket, l, after, func(v *state.Version, common string) {
		if v == nil {
			page.Entries, last = append(page.Entries, storage.ListEntry{Key: common, IsPrefix: true}), "p"+common
			return
		}
		page.Entries, last = append(page.Entries, entryOf(v)), "k"+v.Key
	})
	if err != nil {
		return nil, storageError(err)
	}
	if more {
		page.Token = last
	}
	return page, ctx.Err()
}

// ListVersions uses the position of its last entry as the token.
func (d *bucketDriver) ListVersions(ctx context.Context, in *driver.ListRequest) (*driver.VersionPage, error) {
	after := state.VersionPosition{Key: in.StartAfter}
	if in.Token != "" {
		after.ID, after.Key, _ = strings.Cut(in.Token, " ") // an id has no space
	}
	page, last := &driver.VersionPage{}, state.VersionPosition{}
	var newer *state.Version // the entry before this one
	l := state.Listing{Prefix: in.Prefix, Delimiter: in.Delimiter, Max: in.Limit}
	more, err := d.handler.store.ListVersions(
		ctx, d.bucket, l, after,
		func(v *state.Version, latest bool, common string) {
			if v == nil {
				page.Entries, last = append(
					page.Entries, storage.VersionEntry{ListEntry: storage.ListEntry{Key: common, IsPrefix: true}},
				), state.VersionPosition{
					Key: common,
				}
				return
			}
			entry := storage.VersionEntry{
				ListEntry: entryOf(v), Version: v.ID, Current: latest, IsDeleteMarker: v.Marker,
			}
			if newer != nil && newer.Key == v.Key {
				entry.NoncurrentSince = newer.Modified
			}
			page.Entries, newer = append(page.Entries, entry), v
			last = state.VersionPosition{Key: v.Key, ID: v.ID}
		},
	)
	if err != nil {
		return nil, storageError(err)
	}
	if more {
		page.Token = last.ID + " " + last.Key
	}
	return page, ctx.Err()
}

func entryOf(v *state.Version) storage.ListEntry {
	return storage.ListEntry{
		Key: v.Key, Size: v.Object.Size, ETag: v.Object.ETag, Revision: v.Object.ETag, Modified: v.Modified,
		StorageClass: shownClass(v),
	}
}
