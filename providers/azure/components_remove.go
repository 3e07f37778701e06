package azure

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/running"
)

// remove removes all blobs of an upload and their versions, including blobs that other clients
// stored. An account with versioning would otherwise keep, and bill, each part forever. The marker
// is removed first, because nobody can create an object from the parts without it.
func (cu *componentUploads) remove(ctx context.Context, u *openUpload) error {
	if err := cu.objects.Delete(ctx, &driver.DeleteRequest{Key: u.marker()}); err != nil {
		return err
	}

	o := &container.ListBlobsHierarchyOptions{
		Include:    container.ListBlobsInclude{Versions: !cu.container.account.isBefore(versionsVersion)},
		Prefix:     new(u.prefix),
		MaxResults: new(int32(maxPage)),
	}
	for items, err := range cu.lister.pages(ctx, o) {
		if err != nil {
			return err
		}
		err := running.Each(ctx, len(items), maxParallel, func(ctx context.Context, i int) error {
			version := deref(items[i].VersionID) // "" in an account without versioning
			isOnlyOrCurrent := version == "" || isCurrent(items[i])
			if isOnlyOrCurrent {
				return cu.removeCurrent(ctx, deref(items[i].Name), version)
			}
			return cu.removeVersion(ctx, deref(items[i].Name), version)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// removeCurrent removes a blob of an upload and its current version, which is "" if the account keeps no
// versions. The blob goes first, because the service refuses to remove a version while it is current.
func (cu *componentUploads) removeCurrent(ctx context.Context, key, version string) error {
	if err := cu.objects.Delete(ctx, &driver.DeleteRequest{Key: key}); err != nil {
		return err
	}
	if version == "" {
		return nil
	}
	return cu.removeVersion(ctx, key, version)
}

// removeVersion removes a version, which is not current, of a blob of an upload. It also succeeds if the
// version may not be removed, because the upload has ended. The role Storage Blob Data Contributor may
// not remove versions, and some containers retain them.
func (cu *componentUploads) removeVersion(ctx context.Context, key, version string) error {
	err := cu.objects.Delete(ctx, &driver.DeleteRequest{Key: key, Version: version})
	code := storage.CodeOf(err)
	if code == storage.PermissionDenied || code == storage.Locked {
		return nil
	}
	return err
}

func isCurrent(item *container.BlobItem) bool { return deref(item.IsCurrentVersion) }
