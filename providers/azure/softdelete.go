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

// expiryOfDeleted returns the time when the service drops a soft-deleted blob. It derives the time from
// the deletion, because the service reports only the whole days that remain.
func expiryOfDeleted(p *container.BlobProperties, now time.Time) time.Time {
	remaining := time.Duration(deref(p.RemainingRetentionDays)) * day
	if p.DeletedTime == nil {
		return now.UTC().Add(remaining)
	}
	elapsed := max(0, now.Sub(*p.DeletedTime)).Truncate(day)
	return p.DeletedTime.UTC().Add(elapsed + remaining)
}

// undelete restores a soft-deleted blob. If a blob with the key exists, undelete returns
// PreconditionFailed. The service also restores the blob's soft-deleted snapshots and versions. In
// an account with versions, none of the restored versions is current. So undelete copies the
// requested version to the blob. If r names no version, it copies the newest.
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
	if isSoftDeleted(item) {
		_, err = write(ctx, d.account, d.container.blob(r.Key).Undelete, nil)
	}
	if err != nil || deref(item.VersionID) == "" {
		return d.container.changeError(ctx, err)
	}
	return d.copyVersion(ctx, r.Key, *item.VersionID)
}

// copyVersion makes a version the current blob, unless a current blob exists.
func (d *objectDriver) copyVersion(ctx context.Context, key, version string) error {
	src := d.Locate(key)
	src.Version = version
	attrs, err := d.Head(ctx, &driver.GetRequest{Key: key, Version: version, Length: -1})
	if err != nil {
		return err
	}
	req := &driver.CopyRequest{
		Source:     src,
		Key:        key,
		Properties: attrs.Properties,
		Condition:  storage.Condition{Absent: true},
	}
	req.Source.Revision = attrs.Revision
	req.Source.Attrs = attrs
	if attrs.TagCount > 0 {
		if req.Tags, err = d.Tags(ctx, &driver.GetRequest{Key: key, Version: version, Length: -1}); err != nil {
			return err
		}
	}
	_, err = d.Copy(ctx, req)
	return err
}

// findRemoved finds the version of a key to restore: the version that r names or, if r names none, the
// newest. The version may already be restored, because an earlier attempt may have failed after
// restoring it. The boolean result is true if the key has a current blob.
func (ls *lister) findRemoved(
	ctx context.Context, r *driver.ChangeRequest,
) (newest *container.BlobItem, ok bool, err error) {
	o := &container.ListBlobsHierarchyOptions{
		Include:    container.ListBlobsInclude{Versions: true, Deleted: true},
		Prefix:     new(r.Key),
		MaxResults: new(int32(maxPage)),
	}
	err = ls.pages(ctx, o, func(items []*container.BlobItem) (bool, error) {
		for _, item := range items {
			switch {
			case deref(item.Name) != r.Key:
				// Stop, because all blobs with the key r.Key were already listed.
				return false, nil
			case item.Snapshot != nil:
			case !deref(item.Deleted) && (deref(item.VersionID) == "" || isCurrent(item)):
				ok = true
			case r.Version == "" || deref(item.VersionID) == r.Version:
				// The last one is the newest.
				newest = item
			}
		}
		return true, nil
	})
	return newest, ok, err
}
