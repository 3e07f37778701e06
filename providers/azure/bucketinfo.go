package azure

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/providers/internal/bucketupdate"
)

// publicAccessHint tells how to permit public access, which Azure calls anonymous access.
const publicAccessHint = "the storage account forbids public access: permit it in the account's configuration (allowBlobPublicAccess) with the portal, az or ARM"

// BucketInfo requests the container's properties and the account's CORS rules. If the credential
// may not read the rules, as with Azure's data roles, it returns the rest beside the error
// PermissionDenied.
func (s *serviceDriver) BucketInfo(ctx context.Context, name string) (*storage.BucketInfo, error) {
	info := &storage.BucketInfo{Name: name}
	err := s.readSettings(ctx, info)
	if err != nil && len(info.Unread) == 0 {
		return nil, err
	}
	return info, err
}

// accountSettings are the settings that Azure keeps for the whole account.
var accountSettings = bucketupdate.Setting{
	Fields: []string{"CORS", "SoftDelete"},
	Right:  "Microsoft.Storage/storageAccounts/blobServices/read",
}

// readSettings sets the fields of info. If the credential may not read the account's settings, it
// returns PermissionDenied and adds their fields, which stay as they are, to info.Unread.
func (s *serviceDriver) readSettings(ctx context.Context, info *storage.BucketInfo) error {
	props, err := s.account.container(info.Name).settings(ctx)
	if err != nil {
		return err
	}
	info.Public = isPublicAccess(props.BlobPublicAccess)
	info.ObjectLock = deref(props.IsImmutableStorageWithVersioningEnabled)

	cors, retention, err := s.account.settings(ctx)
	if storage.CodeOf(err) == storage.PermissionDenied {
		return bucketupdate.Denied(info, err, accountSettings)
	}
	if err != nil {
		return err
	}
	info.CORS = cors
	info.SoftDelete = retention
	return nil
}

// settings requests the properties of the container, or fails with BucketNotFound if the container
// is missing.
func (bc *blobContainer) settings(ctx context.Context) (container.GetPropertiesResponse, error) {
	p, err := send(ctx, bc.account, bc.client.GetProperties, nil)
	err = translateRead(err)
	// The 404 to a HEAD has no code. Only the container can be missing here.
	if storage.CodeOf(err) == storage.ObjectNotFound {
		err = sdkerror.WithCode(err, storage.BucketNotFound, "")
	}
	return p, err
}

// public reports whether everyone can read the blobs. Everyone may be able to
// list them too.
func isPublicAccess(access *container.PublicAccessType) bool {
	return deref(access) == container.PublicAccessTypeBlob || deref(access) == container.PublicAccessTypeContainer
}

// setPublic changes whether everyone can read the blobs. It also sends the stored access policies,
// which Azure would otherwise remove.
func (bc *blobContainer) setPublic(ctx context.Context, isPublic bool) error {
	current, err := send(ctx, bc.account, bc.client.GetAccessPolicy, nil)
	if err != nil {
		return translateRead(err)
	}
	if isPublicAccess(current.BlobPublicAccess) == isPublic {
		return nil
	}

	opts := &container.SetAccessPolicyOptions{
		ContainerACL: current.SignedIdentifiers,
		AccessConditions: &container.AccessConditions{
			ModifiedAccessConditions: &container.ModifiedAccessConditions{IfUnmodifiedSince: current.LastModified},
		},
	}
	if isPublic {
		opts.Access = new(container.PublicAccessTypeBlob)
	}

	_, err = write(ctx, bc.account, bc.client.SetAccessPolicy, opts)
	if storage.CodeOf(err) == storage.PreconditionFailed {
		// Another client has changed the container since current.LastModified.
		return sdkerror.WithCode(err, storage.Unavailable, "another client changed the container at the same time: try again")
	}
	return publicAccessError(err)
}

// publicAccessError adds a hint to the error if the account forbids public access, and returns any
// other error unchanged.
func publicAccessError(err error) error {
	if isCode(err, "PublicAccessNotPermitted") {
		return sdkerror.WithHint(err, publicAccessHint)
	}
	return err
}
