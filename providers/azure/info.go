package azure

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// switchHint says where what Azure calls anonymous access is allowed.
const publicAccessHint = "the storage account forbids public access: allow it in the account's configuration (allowBlobPublicAccess), which is the management plane's"

// BucketInfo is one look at the container and one at the account's rules. Data
// roles do not have the right to the second: then the rules are left out.
func (s *serviceDriver) BucketInfo(ctx context.Context, name string) (*storage.BucketInfo, error) {
	info := &storage.BucketInfo{Name: name}
	if err := s.readSettings(ctx, info); err != nil {
		return nil, err
	}
	return info, nil
}

// look fills info; what may not be read stays as it is.
func (s *serviceDriver) readSettings(ctx context.Context, info *storage.BucketInfo) error {
	ctx, b := s.manage(ctx, info.Name)
	p, err := b.properties(ctx)
	if err != nil {
		return err
	}
	info.Public = public(p.BlobPublicAccess)
	switch cors, err := b.cors(ctx); {
	case err == nil:
		info.CORS = cors
	case storage.CodeOf(err) != storage.PermissionDenied:
		return err
	}
	return nil
}

// properties tells whether the container is there.
func (b *managedContainer) properties(ctx context.Context) (container.GetPropertiesResponse, error) {
	p, err := b.container.GetProperties(ctx, nil)
	if err = reads(err); storage.CodeOf(err) == storage.ObjectNotFound { // HEAD's 404 says no more
		err = storage.BucketNotFound
	}
	return p, err
}

// public reports whether anyone can read the blobs: listing them too may be
// allowed beside.
func public(access *container.PublicAccessType) bool {
	return access != nil && (*access == container.PublicAccessTypeBlob || *access == container.PublicAccessTypeContainer)
}

// setPublic changes who can read without credentials, and nothing else: stored
// access policies, which Azure replaces with it, are given back as they were.
func (b *managedContainer) setPublic(ctx context.Context, wanted bool) error {
	now, err := b.container.GetAccessPolicy(ctx, nil)
	if err != nil {
		return reads(err)
	}
	if public(now.BlobPublicAccess) == wanted {
		return nil
	}
	o := &container.SetAccessPolicyOptions{
		ContainerACL: now.SignedIdentifiers,
		AccessConditions: &container.AccessConditions{
			ModifiedAccessConditions: &container.ModifiedAccessConditions{IfUnmodifiedSince: now.LastModified},
		},
	}
	if wanted {
		o.Access = to.Ptr(container.PublicAccessTypeBlob)
	}
	err = writes(ctx, func(ctx context.Context) error {
		_, err := b.container.SetAccessPolicy(ctx, o)
		return err
	})
	if storage.CodeOf(err) == storage.PreconditionFailed { // of ours, not of the caller's
		e := *asError(err)
		e.Code, e.Retryable, e.Hint = storage.Unavailable, true, "somebody else changed the container in between"
		return &e
	}
	if err != nil {
		return publicAccessError(err)
	}
	return nil
}

// publicRefused tells of the account's own switch, where it was that.
func publicAccessError(err error) error {
	if isCode(err, "PublicAccessNotPermitted") {
		return sdkerror.WithHint(err, publicAccessHint)
	}
	return err
}
