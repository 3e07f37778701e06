package azure

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/bucketupdate"
	"github.com/omnibucket/storage/internal/invalid"
)

var _ storage.ServiceDriver = (*serviceDriver)(nil)

// serviceDriver manages the containers of one account.
type serviceDriver struct {
	storage.UnimplementedServiceDriver
	*account
}

// NewService opens the account behind a Config without a bucket, and makes no
// request. InvalidArgument as Open.
//
// CORS rules are the account's on Azure, at most five: setting those of one
// bucket sets them for all, and it can take half a minute until they hold.
// BucketInfo shows the account's rules, if the credential may read them. Where
// an account lies, and what it does about versions and lifecycles, is the
// management plane's to say: WithRegion, WithVersioning and WithLifecycle are
// Unsupported, and so are Credentials. A name is free again half a minute or
// more after its bucket was deleted: till then CreateBucket is Unavailable.
func NewService(ctx context.Context, c Config, opts ...storage.OpenOption) (*storage.Service, error) {
	d, err := NewServiceDriver(ctx, c)
	if err != nil {
		return nil, err
	}
	return storage.NewService(d, opts...), nil
}

// NewServiceDriver opens an account as NewService does, for storage.NewService.
func NewServiceDriver(_ context.Context, c Config) (storage.ServiceDriver, error) {
	if c.Bucket != "" {
		return nil, invalid.Argument("Config.Bucket", "must be empty: an account has many", "")
	}
	a, err := newAccount(c)
	if err != nil {
		return nil, err
	}
	return newServiceDriver(a), nil
}

func newServiceDriver(a *account) storage.ServiceDriver { return &serviceDriver{account: a} }

// Provider is "azure", whoever's server it is.
func (s *serviceDriver) Provider() string { return provider }

// Driver makes no request. It shares the account's connections: Close of the
// service ends them.
func (s *serviceDriver) Driver(name string) (storage.Driver, error) { return s.driver(name), nil }

// Close closes the account.
func (s *serviceDriver) Close() error { return s.close() }

// A managed bucket is one that its account looks at or changes.
type managedContainer struct {
	*account
	container *container.Client
}

func (s *serviceDriver) manage(ctx context.Context, name string) (context.Context, *managedContainer) {
	return s.singleAttempt(ctx), &managedContainer{account: s.account, container: s.service.NewContainerClient(name)}
}

// CreateBucket sets CORS rules before it creates: deleting a container that was
// created in vain would delete what others have put there by then.
func (s *serviceDriver) CreateBucket(ctx context.Context, r *storage.BucketRequest) (*storage.BucketInfo, error) {
	if err := checkBucketRequest(r); err != nil {
		return nil, err
	}
	ctx, b := s.manage(ctx, r.Name)
	info := &storage.BucketInfo{Name: r.Name}
	if r.CORS != nil && len(*r.CORS) > 0 {
		if _, err := b.properties(ctx); err == nil {
			return nil, storage.BucketExists // nor shall a name that is taken change the account
		} else if storage.CodeOf(err) != storage.BucketNotFound {
			return nil, err
		}
		if err := b.setCORS(ctx, *r.CORS); err != nil {
			return nil, err
		}
		info.CORS = *r.CORS
	}
	o := &container.CreateOptions{}
	if r.PublicAccess != nil && *r.PublicAccess {
		o.Access, info.Public = to.Ptr(container.PublicAccessTypeBlob), true
	}
	err := writes(ctx, func(ctx context.Context) error {
		_, err := b.container.Create(ctx, o)
		return err
	})
	switch {
	case isCode(err, "ContainerBeingDeleted"):
		return nil, beingDeletedError(err)
	case err != nil:
		return nil, publicAccessError(err)
	}
	return info, nil
}

// UpdateBucket makes one change after another, and stops at the first that
// fails: those before it have been made. Opening to the public comes last.
func (s *serviceDriver) UpdateBucket(ctx context.Context, r *storage.BucketRequest) (*storage.BucketInfo, error) {
	if err := checkBucketRequest(r); err != nil {
		return nil, err
	}
	ctx, b := s.manage(ctx, r.Name)
	if _, err := b.properties(ctx); err != nil {
		return nil, err // the account's rules are there without the container
	}
	if r.PublicAccess != nil && !*r.PublicAccess {
		if err := b.setPublic(ctx, false); err != nil {
			return nil, err
		}
	}
	if r.CORS != nil {
		if err := b.setCORS(ctx, *r.CORS); err != nil {
			return nil, err
		}
	}
	if r.PublicAccess != nil && *r.PublicAccess {
		if err := b.setPublic(ctx, true); err != nil {
			return nil, err
		}
	}
	info := bucketupdate.Requested(r)
	if err := s.readSettings(ctx, info); err != nil && bucketupdate.IsEmpty(r) {
		return nil, err
	}
	return info, nil
}

// refuse answers, before any request, to what is not Blob Storage's to do.
func checkBucketRequest(r *storage.BucketRequest) error {
	lacks := func(hint string) error { return &storage.Error{Code: storage.Unsupported, Hint: hint} }
	switch {
	case r.Region != "":
		return lacks("a container lies where its storage account does, which is made by Azure's management plane")
	case r.Versioning != nil:
		return lacks("versions are a setting of the storage account: Azure's management plane (portal, az, ARM) sets it")
	case r.Lifecycle != nil:
		return lacks("lifecycle rules are the storage account's: Azure's management plane (portal, az, ARM) sets them")
	case r.CORS != nil && len(*r.CORS) > maxCORSRules:
		return invalid.Argument("WithCORS", "takes at most 5 rules: they are the whole account's", "")
	}
	return nil
}

// DeleteBucket looks once more, for old versions too, which the core does not
// see: Azure deletes a container with all that is in it.
func (s *serviceDriver) DeleteBucket(ctx context.Context, name string) error {
	ctx, b := s.manage(ctx, name)
	if err := b.checkEmpty(ctx); err != nil {
		return err
	}
	return writes(ctx, func(ctx context.Context) error {
		_, err := b.container.Delete(ctx, nil)
		return err
	})
}

// empty is BucketNotEmpty where there is a blob or a version of one. A page may
// be empty and not the last.
func (b *managedContainer) checkEmpty(ctx context.Context) error {
	pager := b.container.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{
		MaxResults: to.Ptr(int32(1)), Include: container.ListBlobsInclude{Versions: true},
	})
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return reads(err)
		}
		if page.Segment != nil && len(page.Segment.BlobItems) > 0 {
			return storage.BucketNotEmpty
		}
	}
	return nil
}

// ListBuckets is a page of up to 5,000. When a container was created Azure does
// not tell.
func (s *serviceDriver) ListBuckets(ctx context.Context, token string) ([]storage.BucketInfo, string, error) {
	o := &service.ListContainersOptions{}
	if token != "" {
		o.Marker = &token
	}
	response, err := s.service.NewListContainersPager(o).NextPage(s.singleAttempt(ctx))
	if err != nil {
		return nil, "", reads(err)
	}
	page := make([]storage.BucketInfo, 0, len(response.ContainerItems))
	for _, item := range response.ContainerItems {
		info := storage.BucketInfo{Name: deref(item.Name)}
		if item.Properties != nil {
			info.Public = public(item.Properties.PublicAccess)
		}
		page = append(page, info)
	}
	return page, deref(response.NextMarker), nil
}

// Credentials are Unsupported: there are none for a client of S3.
func (s *serviceDriver) Credentials(context.Context, string) (*storage.Credentials, error) {
	return nil, &storage.Error{Code: storage.Unsupported, Hint: "Azure Blob Storage does not speak S3"}
}

// deleting is for a name that was freed a moment ago.
func beingDeletedError(err error) error {
	e := *asError(err)
	e.Code, e.Retryable, e.Hint = storage.Unavailable, true, deletingHint
	return &e
}
