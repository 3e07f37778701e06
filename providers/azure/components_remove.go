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
			return cu.removeComponent(ctx, deref(items[i].Name), version, isOnlyOrCurrent)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// removeComponent removes a blob of an upload if it is current, and then this version of it. version is ""
// if the account keeps no versions. The call succeeds even if the version may not be removed, because
// the upload has ended. The role Storage Blob Data Contributor may not remove versions, and some
// containers retain them.
func (cu *componentUploads) removeComponent(ctx context.Context, key, version string, isCurrent bool) error {
	if isCurrent {
		// The service refuses to remove a version while it is current.
		if err := cu.objects.Delete(ctx, &driver.DeleteRequest{Key: key}); err != nil {
			return err
		}
	}
	if version == "" {
		return nil
	}

	err := cu.objects.Delete(ctx, &driver.DeleteRequest{Key: key, Version: version})
	code := storage.CodeOf(err)
	if code == storage.PermissionDenied || code == storage.Locked {
		return nil
	}
	return err
}

func isCurrent(item *container.BlobItem) bool { return deref(item.IsCurrentVersion) }
