package azure

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/parallel"
)

// remove removes all blobs of an upload, whoever stored them, with their versions: an account that
// keeps versions would keep, and bill, each part for ever. The marker is first: if the removal is
// interrupted, or another process lists the parts meanwhile, nobody makes an object of those that
// remain.
func (cu *componentUploads) remove(ctx context.Context, u *openUpload) error {
	if err := cu.objects.Delete(ctx, &driver.DeleteRequest{Key: u.marker()}); err != nil {
		return err
	}
	o := &container.ListBlobsHierarchyOptions{
		Include:    container.ListBlobsInclude{Versions: !cu.container.account.isBefore(versionsVersion)},
		Prefix:     new(u.prefix),
		MaxResults: new(int32(maxPage)),
	}
	return cu.lister.pages(ctx, o, func(items []*container.BlobItem) (bool, error) {
		return true, parallel.Each(ctx, len(items), maxParallel, func(ctx context.Context, i int) error {
			version := deref(items[i].VersionID)
			return cu.removeComponent(ctx, deref(items[i].Name), version, version == "" || isCurrent(items[i]))
		})
	})
}

// removeComponent removes a blob of an upload, and its version if the account keeps versions. A
// version stays if the credential may not remove versions, as with the role Storage Blob Data
// Contributor, or if the container retains them by default: the upload has ended anyway.
func (cu *componentUploads) removeComponent(ctx context.Context, key, version string, current bool) error {
	if current { // the service refuses to remove the version of a current blob
		if err := cu.objects.Delete(ctx, &driver.DeleteRequest{Key: key}); err != nil {
			return err
		}
	}
	if version == "" {
		return nil
	}
	err := cu.objects.Delete(ctx, &driver.DeleteRequest{Key: key, Version: version})
	if code := storage.CodeOf(err); code == storage.PermissionDenied || code == storage.Locked {
		return nil
	}
	return err
}

func isCurrent(item *container.BlobItem) bool { return deref(item.IsCurrentVersion) }
