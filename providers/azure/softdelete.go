package azure

import (
	"context"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

const day = 24 * time.Hour

func isSoftDeleted(item *container.BlobItem) bool {
	return deref(item.Deleted) && item.Snapshot == nil
}

// expiryOfDeleted returns the time at which the service drops a soft-deleted blob. It derives the
// time from that of the deletion, because the service reports only the whole days that remain.
func expiryOfDeleted(p *container.BlobProperties, now time.Time) time.Time {
	remaining := time.Duration(deref(p.RemainingRetentionDays)) * day
	if p.DeletedTime == nil {
		return now.UTC().Add(remaining)
	}
	elapsed := max(0, now.Sub(*p.DeletedTime)).Truncate(day)
	return p.DeletedTime.UTC().Add(elapsed + remaining)
}

// undelete restores a soft-deleted blob, or returns PreconditionFailed if there is a blob with the
// key. In an account with versions, the service restores the versions of the blob, but none of them
// is current. undelete then copies the version that r names, or else the newest.
// https://learn.microsoft.com/rest/api/storageservices/undelete-blob
func (d *objectDriver) undelete(ctx context.Context, r *driver.ChangeRequest) error {
	if err := checkName(r.Key, r.Version); err != nil {
		return err
	}
	item, exists, err := d.lister.findRemoved(ctx, r)
	if err != nil {
		return err
	}
	if exists {
		return storage.PreconditionFailed
	}
	if item == nil {
		return storage.ObjectNotFound
	}

	// An earlier attempt may have restored the blob before it failed to copy the version.
	if isSoftDeleted(item) {
		if _, err := write(ctx, d.account, d.container.blob(r.Key).Undelete, nil); err != nil {
			return d.container.changeError(ctx, err)
		}
	}

	// Without versions, the restored blob is already the current one.
	if deref(item.VersionID) == "" {
		return nil
	}
	return d.copyVersion(ctx, r.Key, *item.VersionID)
}

// copyVersion copies a version to the current blob, with its properties and tags, unless there is a
// current blob.
func (d *objectDriver) copyVersion(ctx context.Context, key, version string) error {
	// A length of -1 means the whole object.
	attrs, err := d.Head(ctx, &driver.GetRequest{Key: key, Version: version, Length: -1})
	if err != nil {
		return err
	}
	var tags map[string]string
	if attrs.TagCount > 0 {
		tags, err = d.Tags(ctx, &driver.GetRequest{Key: key, Version: version, Length: -1})
		if err != nil {
			return err
		}
	}

	// The copy need not request the attributes again, because src has them.
	src := d.Locate(key)
	src.Version = version
	src.Revision = attrs.Revision
	src.Attrs = attrs
	req := &driver.CopyRequest{
		Source:     src,
		Key:        key,
		Properties: attrs.Properties,
		Condition:  storage.Condition{Absent: true},
	}
	req.Tags = tags
	_, err = d.Copy(ctx, req)
	return err
}

// findRemoved finds the version of a key to restore: the one that r names, or else the newest. removed is
// nil if there is none. It may be a noncurrent version that is not deleted, which an earlier attempt to
// restore has left. exists is true if the key has a current blob.
func (ls *lister) findRemoved(
	ctx context.Context, r *driver.ChangeRequest,
) (removed *container.BlobItem, exists bool, err error) {
	opts := &container.ListBlobsHierarchyOptions{
		Include:    container.ListBlobsInclude{Versions: true, Deleted: true},
		Prefix:     new(r.Key),
		MaxResults: new(int32(maxPage)),
	}
	for items, err := range ls.pages(ctx, opts) {
		if err != nil {
			return nil, false, err
		}
		for _, item := range items {
			if deref(item.Name) != r.Key {
				// r.Key comes first of all keys with the prefix r.Key, so all its versions were listed.
				return removed, exists, nil
			}
			if item.Snapshot != nil {
				// A snapshot is not a version.
				continue
			}
			version := deref(item.VersionID) // "" in an account without versions
			isCurrentBlob := !deref(item.Deleted) && (version == "" || isCurrent(item))
			if isCurrentBlob {
				exists = true
				continue
			}
			// The newest version is listed last, and so is the last one to be assigned.
			if r.Version == "" || r.Version == version {
				removed = item
			}
		}
	}
	return removed, exists, nil
}
