package rclone

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/rclone/rclone/fs"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// List lists one folder, sorted by name. The token of a page is the name of its last entry, with a
// slash at its end if that is a folder.
func (d *remoteDriver) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	// The prefix may continue after the folder with the beginning of a name.
	folder := r.Prefix[:strings.LastIndex(r.Prefix, "/")+1]
	dir := strings.TrimSuffix(folder, "/")
	if dir != "" && !isPossibleKey(dir) {
		return &storage.Page{}, nil
	}
	found, err := d.remote.List(ctx, dir)
	if err != nil {
		convertedErr := convertError(err)
		// If nothing, or an object, has the name of the folder, there is no folder to list.
		if storage.CodeOf(convertedErr) == storage.ObjectNotFound || d.isObject(ctx, dir) {
			return &storage.Page{}, nil
		}
		return nil, convertedErr
	}

	var entries []storage.ListEntry
	for _, entry := range found {
		if strings.HasPrefix(entry.Remote(), r.Prefix) && entry.Remote() != partials {
			entries = appendEntry(ctx, entries, entry)
		}
	}
	slices.SortFunc(entries, func(a, b storage.ListEntry) int { return compare(a.Key, b.Key) })

	// The page begins after the entry that the token names.
	if r.Token != "" {
		isBeforePage := func(e storage.ListEntry) bool { return compare(e.Key, folder+r.Token) <= 0 }
		entries = slices.DeleteFunc(entries, isBeforePage)
	}
	if len(entries) <= r.Limit {
		return &storage.Page{Entries: entries}, ctx.Err()
	}
	last := entries[r.Limit-1]
	return &storage.Page{Entries: entries[:r.Limit], Token: strings.TrimPrefix(last.Key, folder)}, ctx.Err()
}

// compare compares two keys in the same folder by their names. An object comes before a folder with
// the same name.
func compare(a, b string) int {
	byName := strings.Compare(strings.TrimSuffix(a, "/"), strings.TrimSuffix(b, "/"))
	// If the names are equal, the key of the folder is longer by its slash.
	return cmp.Or(byName, cmp.Compare(len(a), len(b)))
}

// isObject reports whether dir, or a folder that contains it, is really an object. Listing dir then
// fails with an error that only the backend defines.
func (d *remoteDriver) isObject(ctx context.Context, dir string) bool {
	return dir != "" && d.isBelowObject(ctx, dir+"/x")
}

// appendEntry appends entry to entries if it is a folder, or an object that can be read. A link cannot be read, and
// neither can the marker of a folder, an object whose name ends in a slash.
func appendEntry(ctx context.Context, entries []storage.ListEntry, entry fs.DirEntry) []storage.ListEntry {
	switch e := entry.(type) {
	case fs.Directory:
		return append(entries, storage.ListEntry{Key: e.Remote() + "/", IsPrefix: true})
	case fs.Object:
		canBeRead := e.Size() >= 0 && e.Storable() && isPossibleKey(e.Remote())
		if canBeRead {
			attrs := attrsOf(ctx, e.Remote(), e)
			return append(entries, storage.ListEntry{
				Key:      attrs.Key,
				Size:     attrs.Size,
				ETag:     attrs.ETag,
				Revision: attrs.Revision,
				Modified: attrs.Modified,
			})
		}
	}
	return entries
}
