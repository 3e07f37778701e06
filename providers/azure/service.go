package azure

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/providers/internal/bucketupdate"
	"github.com/omnibucket/storage/providers/internal/httpheader"
)

var _ driver.ServiceDriver = (*serviceDriver)(nil)

type serviceDriver struct {
	driver.UnimplementedServiceDriver
	account *account
}

// NewService opens the account of a Config without a bucket, and makes no request. It fails with
// InvalidArgument if c is invalid.
//
// On Azure, CORS rules belong to the account, which has at most five. Setting the rules of one
// bucket sets them for all buckets, and takes effect within half a minute. BucketInfo returns the
// account's rules if the credential may read them.
//
// Regions, versions and lifecycles belong to Azure's management plane, so that WithRegion,
// WithVersioning, WithLifecycle, WithObjectLock, WithDefaultRetention and WithSoftDelete are
// Unsupported. Credentials are Unsupported, too.
//
// The name of a deleted bucket cannot be used again for half a minute or more, during which
// CreateBucket fails with Unavailable.
func NewService(ctx context.Context, c Config, opts ...storage.OpenOption) (storage.Service, error) {
	d, err := NewServiceDriver(ctx, c)
	if err != nil {
		return nil, err
	}
	return engine.NewService(d, opts...), nil
}

// NewServiceDriver opens an account like [NewService], and returns its driver for
// [engine.NewService].
func NewServiceDriver(_ context.Context, c Config) (driver.ServiceDriver, error) {
	if c.Bucket != "" {
		return nil, argument.Invalid("Config.Bucket", "must be empty: an account has many", "")
	}
	a, err := newAccount(c)
	if err != nil {
		return nil, err
	}
	return &serviceDriver{account: a}, nil
}

// Provider returns "azure".
func (s *serviceDriver) Provider() string { return provider }

// Driver returns the driver of a container without a request. It shares the
// account's connections, which Close of the service closes.
func (s *serviceDriver) Driver(name string) (driver.Driver, error) {
	return s.account.driver(name), nil
}

// Close closes the account's connections.
func (s *serviceDriver) Close() error { return s.account.close() }

// CreateBucket sets the CORS rules before it creates the container. In the other order, a failure
// would require deleting the container, in which other clients might have stored objects by then.
func (s *serviceDriver) CreateBucket(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	if err := checkBucketRequest(r); err != nil {
		return nil, err
	}

	bc := s.account.container(r.Name)
	info := &storage.BucketInfo{Name: r.Name}

	if r.CORS != nil && len(*r.CORS) > 0 {
		if err := bc.setCORSOfNew(ctx, *r.CORS); err != nil {
			return nil, err
		}
		info.CORS = *r.CORS
	}

	opts := &container.CreateOptions{}
	if r.PublicAccess != nil && *r.PublicAccess {
		opts.Access = new(container.PublicAccessTypeBlob)
		info.Public = true
	}

	_, err := write(ctx, bc.account, bc.client.Create, opts)
	if isCode(err, "ContainerBeingDeleted") {
		return nil, sdkerror.WithCode(err, storage.Unavailable, deletingHint)
	}
	if err != nil {
		return nil, publicAccessError(err)
	}
	return info, nil
}

// setCORSOfNew sets the account's CORS rules before a container is created. It returns BucketExists if
// the container exists already, and then does not change the rules.
func (bc *blobContainer) setCORSOfNew(ctx context.Context, rules []storage.CORSRule) error {
	_, err := bc.settings(ctx)
	if err == nil {
		return storage.BucketExists
	}
	if storage.CodeOf(err) != storage.BucketNotFound {
		return err
	}
	return bc.account.setCORS(ctx, rules)
}

// UpdateBucket makes one change after the other, and stops at the first that fails. Earlier changes
// stay. Public access is granted last.
func (s *serviceDriver) UpdateBucket(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	if err := checkBucketRequest(r); err != nil {
		return nil, err
	}

	b := s.account.container(r.Name)
	if _, err := b.settings(ctx); err != nil {
		// The container may be missing, so do not change the account's rules.
		return nil, err
	}

	// Revoke public access before the other changes, and permit it after them.
	if r.PublicAccess != nil && !*r.PublicAccess {
		if err := b.setPublic(ctx, false); err != nil {
			return nil, err
		}
	}

	if r.CORS != nil {
		if err := s.account.setCORS(ctx, *r.CORS); err != nil {
			return nil, err
		}
	}

	if r.PublicAccess != nil && *r.PublicAccess {
		if err := b.setPublic(ctx, true); err != nil {
			return nil, err
		}
	}

	return s.settingsAfter(ctx, r)
}

// settingsAfter returns the settings of a container after the changes of r were made. It returns those
// that r has set and those that can be read. The field Unread has the names of the others.
func (s *serviceDriver) settingsAfter(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	info := bucketupdate.Requested(r)
	err := s.readSettings(ctx, info)
	couldReadNone := err != nil && len(info.Unread) == 0
	if couldReadNone && bucketupdate.IsEmpty(r) {
		// Nothing was changed, so the error hides no change.
		return nil, err
	}
	if couldReadNone {
		info.Unread = append([]string{"Public", "ObjectLock"}, accountSettings.Fields...)
	}
	// The settings that r has set are known.
	bucketupdate.ForgetRequested(info, r)
	return info, nil
}

// checkBucketRequest returns an error if r has a setting that Blob Storage does not have.
func checkBucketRequest(r *driver.BucketRequest) error {
	if hint := unsupportedHint(r); hint != "" {
		return &storage.Error{Code: storage.Unsupported, Hint: hint}
	}
	if r.CORS != nil && len(*r.CORS) > maxCORSRules {
		return argument.Invalid("WithCORS", "must have at most 5 rules: they apply to the whole account", "")
	}
	return nil
}

// unsupportedHint returns the hint for the first setting of r that only the management plane can
// change, or "" if there is none.
func unsupportedHint(r *driver.BucketRequest) string {
	switch {
	case r.Region != "":
		return "the region of a container is that of its storage account, which the management plane (portal, az, ARM) creates"
	case r.Versioning != nil:
		return "versioning is a setting of the storage account: change it in the management plane (portal, az, ARM)"
	case r.Lifecycle != nil:
		return "lifecycle rules belong to the storage account: change them in the management plane (portal, az, ARM)"
	case r.SoftDelete != nil:
		return "soft delete is a setting of the storage account: change it in the management plane (portal, az, ARM)"
	case r.ObjectLock || r.DefaultRetention != nil:
		return "object lock is version-level immutability, which Azure's API for blobs cannot change: " + lockHint
	}
	return ""
}

// DeleteBucket deletes a container. It first checks that there are no blobs or noncurrent versions,
// because Azure deletes a container with everything in it.
func (s *serviceDriver) DeleteBucket(ctx context.Context, name string) error {
	b := s.account.container(name)
	if err := b.checkEmpty(ctx); err != nil {
		return err
	}
	_, err := write(ctx, b.account, b.client.Delete, nil)
	return err
}

// These hints are for containers that are not empty although List finds no object.
const (
	uploadsHint  = "the bucket has open uploads: list them with ListUploads, and abort them with AbortUpload"
	versionsHint = "the bucket has noncurrent versions: remove them with RemoveVersions"
)

// checkEmpty returns BucketNotEmpty if the container has a blob or a noncurrent version. It may
// read several pages, because an empty page need not be the last. Noncurrent parts and markers of
// open uploads do not count, because they are left over from uploads that have ended.
func (bc *blobContainer) checkEmpty(ctx context.Context) error {
	onlyBlobs := container.ListBlobsInclude{}
	if bc.account.isBefore(versionsVersion) {
		return bc.checkNoBlobs(ctx, onlyBlobs)
	}

	err := bc.checkNoBlobs(ctx, container.ListBlobsInclude{Versions: true})
	code := storage.CodeOf(err)
	cannotListVersions := code == storage.Unsupported || code == storage.InvalidArgument
	if cannotListVersions {
		// Such an account has no versions.
		return bc.checkNoBlobs(ctx, onlyBlobs)
	}
	return err
}

// checkNoBlobs lists the blobs, and what include adds to them. It returns BucketNotEmpty at the first entry
// that prevents the removal of the container.
func (bc *blobContainer) checkNoBlobs(ctx context.Context, include container.ListBlobsInclude) error {
	const pageSize = 100 // usually the first entry decides
	opts := &container.ListBlobsHierarchyOptions{MaxResults: new(int32(pageSize)), Include: include}
	ls := &lister{bc}
	for items, err := range ls.pages(ctx, opts) {
		if err != nil {
			return err
		}
		for _, item := range items {
			if err := notEmptyError(item); err != nil {
				return err
			}
		}
	}
	return nil
}

// notEmptyError returns BucketNotEmpty for a blob or version that prevents the removal of its
// container, or nil for any other.
func notEmptyError(item *container.BlobItem) error {
	isNoncurrent := deref(item.VersionID) != "" && !isCurrent(item)
	isOfUpload := isReserved(deref(item.Name))
	if isNoncurrent {
		if isOfUpload {
			// The upload has ended (see checkEmpty).
			return nil
		}
		return &storage.Error{Code: storage.BucketNotEmpty, Hint: versionsHint}
	}
	if isOfUpload {
		return &storage.Error{Code: storage.BucketNotEmpty, Hint: uploadsHint}
	}
	return storage.BucketNotEmpty
}

// ListBuckets returns a page of up to 5,000 containers, without their time of creation, which Azure
// does not report.
func (s *serviceDriver) ListBuckets(ctx context.Context, token string) ([]storage.BucketInfo, string, error) {
	o := &service.ListContainersOptions{Marker: httpheader.Optional(token)}
	response, err := nextPage(ctx, s.account, s.account.service.NewListContainersPager(o))
	if err != nil {
		return nil, "", translateRead(err)
	}

	page := make([]storage.BucketInfo, 0, len(response.ContainerItems))
	for _, item := range response.ContainerItems {
		info := storage.BucketInfo{Name: deref(item.Name)}
		if item.Properties != nil {
			info.Public = isPublicAccess(item.Properties.PublicAccess)
		}
		page = append(page, info)
	}
	return page, deref(response.NextMarker), nil
}

// Credentials returns Unsupported.
func (s *serviceDriver) Credentials(context.Context, string) (*storage.Credentials, error) {
	return nil, &storage.Error{Code: storage.Unsupported, Hint: "Azure Blob Storage has no S3 API"}
}
