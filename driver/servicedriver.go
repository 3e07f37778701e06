package driver

import (
	"context"
	"net/url"
	"time"

	"github.com/omnibucket/storage"
)

// A ServiceDriver translates operations on the buckets of one account, as a [Driver] does for
// objects.
type ServiceDriver interface {
	// CreateBucket fails with BucketExists if anybody has the name.
	CreateBucket(ctx context.Context, r *BucketRequest) (*storage.BucketInfo, error)
	// BucketInfo describes a bucket.
	BucketInfo(ctx context.Context, name string) (*storage.BucketInfo, error)
	// UpdateBucket changes the fields of r that are not nil. It must not fail if the change
	// was made and the bucket cannot be read afterwards.
	UpdateBucket(ctx context.Context, r *BucketRequest) (*storage.BucketInfo, error)
	// DeleteBucket removes a bucket. The core has checked that it was empty; if the provider
	// reports that it is not, DeleteBucket must not delete it.
	DeleteBucket(ctx context.Context, name string) error
	// ListBuckets returns one page by name, and the token of the next page.
	ListBuckets(ctx context.Context, token string) ([]storage.BucketInfo, string, error)
	// Driver returns the driver of one bucket. It makes no request.
	Driver(name string) (Driver, error)
	// Credentials returns what another S3 client needs to reach the bucket.
	Credentials(ctx context.Context, name string) (*storage.Credentials, error)
	// Provider returns the provider's name, as in Description.
	Provider() string
	// Close releases what opening took. The core calls it once.
	Close() error
}

// A PrivateDriver is a [ServiceDriver] that keeps objects beside those of a bucket: records of a
// program about the bucket. No listing of the bucket has them, and they end with the bucket.
type PrivateDriver interface {
	// PrivateDriver returns a driver of the private objects of a bucket, which the caller closes. It
	// fails with BucketNotFound if there is no bucket. Unless create is set, it also does if the
	// bucket has no place for private objects yet.
	PrivateDriver(ctx context.Context, bucket string, create bool) (Driver, error)
}

// UnimplementedServiceDriver implements everything that a service driver may leave out: the
// methods return Unsupported. Embed it by value.
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

// A BucketRequest creates or changes a bucket. A nil field is left as it is; an empty list of
// rules removes all rules.
type BucketRequest struct {
	Name, Region string
	PublicAccess *bool
	Versioning   *bool
	CORS         *[]storage.CORSRule
	Lifecycle    *[]storage.LifecycleRule
	ObjectLock   bool // true makes the bucket able to lock objects; it never loses that
	// DefaultRetention is that of objects that are written without one; zero means none.
	DefaultRetention *storage.DefaultRetention
	SoftDelete       *time.Duration // how long what is removed is kept; 0 means not at all
}

// An Opener makes a driver of an address. The core has refused parameters that are not in
// Params, and applies every OpenOption to the driver. If a function is nil, opening is
// Unsupported.
type Opener struct {
	Params  []string // the provider's own query parameters
	Driver  func(ctx context.Context, address *url.URL) (Driver, error)
	Service func(ctx context.Context, address *url.URL) (ServiceDriver, error)
}
