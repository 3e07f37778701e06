package driver

import (
	"context"
	"net/url"
	"time"

	"github.com/omnibucket/storage"
)

// A ServiceDriver translates operations on the buckets of one account into calls of the provider,
// as a [Driver] does for objects.
type ServiceDriver interface {
	// CreateBucket creates a bucket. If the name is taken, even by another account, it fails with
	// BucketExists.
	CreateBucket(ctx context.Context, r *BucketRequest) (*storage.BucketInfo, error)
	// BucketInfo describes a bucket. If the credentials may read only some settings, it fails with
	// PermissionDenied, and also returns what it has read, with the field Unread.
	BucketInfo(ctx context.Context, name string) (*storage.BucketInfo, error)
	// UpdateBucket changes the fields of r that are not nil. It must not fail if the change was made
	// and the bucket cannot be read afterwards: it then sets the field Unread.
	UpdateBucket(ctx context.Context, r *BucketRequest) (*storage.BucketInfo, error)
	// DeleteBucket removes a bucket. The engine has already checked that the bucket is empty. If the
	// provider reports that it is not empty, DeleteBucket must not delete the bucket.
	DeleteBucket(ctx context.Context, name string) error
	// ListBuckets returns one page of buckets in the order of their names, and the token of the
	// next page.
	ListBuckets(ctx context.Context, token string) ([]storage.BucketInfo, string, error)
	// Driver returns the driver of one bucket. It makes no request.
	Driver(name string) (Driver, error)
	// Credentials returns the address and credentials that another S3 client needs to reach the
	// bucket.
	Credentials(ctx context.Context, name string) (*storage.Credentials, error)
	// Provider returns the provider's name, the same as in Description, such as "s3".
	Provider() string
	// Close releases the resources of the service driver, such as connections. The engine calls it
	// once.
	Close() error
}

// A PrivateDriver is a [ServiceDriver] that can keep private objects for each bucket, such as the
// settings that a server keeps for the bucket. Listings of the bucket do not show them. They are
// removed together with the bucket.
type PrivateDriver interface {
	// PrivateDriver returns a driver for the private objects of a bucket. The caller closes it. If
	// the bucket does not exist, PrivateDriver fails with BucketNotFound. If create is false and
	// the bucket has no private objects yet, it fails with BucketNotFound, too.
	PrivateDriver(ctx context.Context, bucket string, create bool) (Driver, error)
}

// UnimplementedServiceDriver implements every method that a service driver may leave out. Nearly
// all of its methods return Unsupported. Embed it by value.
type UnimplementedServiceDriver struct{}

// CreateBucket returns Unsupported.
func (UnimplementedServiceDriver) CreateBucket(context.Context, *BucketRequest) (*storage.BucketInfo, error) {
	return nil, storage.Unsupported
}

// BucketInfo returns Unsupported.
func (UnimplementedServiceDriver) BucketInfo(context.Context, string) (*storage.BucketInfo, error) {
	return nil, storage.Unsupported
}

// UpdateBucket returns Unsupported.
func (UnimplementedServiceDriver) UpdateBucket(context.Context, *BucketRequest) (*storage.BucketInfo, error) {
	return nil, storage.Unsupported
}

// DeleteBucket returns Unsupported.
func (UnimplementedServiceDriver) DeleteBucket(context.Context, string) error {
	return storage.Unsupported
}

// ListBuckets returns Unsupported.
func (UnimplementedServiceDriver) ListBuckets(context.Context, string) ([]storage.BucketInfo, string, error) {
	return nil, "", storage.Unsupported
}

// Driver returns Unsupported.
func (UnimplementedServiceDriver) Driver(string) (Driver, error) { return nil, storage.Unsupported }

// Credentials returns Unsupported.
func (UnimplementedServiceDriver) Credentials(context.Context, string) (*storage.Credentials, error) {
	return nil, storage.Unsupported
}

// Provider returns "".
func (UnimplementedServiceDriver) Provider() string { return "" }

// Close does nothing.
func (UnimplementedServiceDriver) Close() error { return nil }

// A BucketRequest creates or changes a bucket. If a field is nil, the setting stays as it is. An
// empty list of rules removes all rules.
type BucketRequest struct {
	Name, Region string
	PublicAccess *bool
	Versioning   *bool
	CORS         *[]storage.CORSRule
	Lifecycle    *[]storage.LifecycleRule
	ObjectLock   bool // true makes a bucket whose objects can be locked; that cannot be undone
	// DefaultRetention is the retention of objects that are written without a retention. A pointer to the zero value
	// means that such objects have none.
	DefaultRetention *storage.DefaultRetention
	SoftDelete       *time.Duration // time for which removed objects are kept; 0 means that none are kept
}

// An Opener opens a driver by an address. The engine has already refused parameters that are not in
// Params, and applies every OpenOption to the driver. If a function is nil, opening fails with
// Unsupported.
type Opener struct {
	Params  []string // the provider's own query parameters
	Driver  func(ctx context.Context, address *url.URL) (Driver, error)
	Service func(ctx context.Context, address *url.URL) (ServiceDriver, error)
}
