package storage

import (
	"context"
	"log/slog"
	"time"
)

// A ServiceDriver is one provider's translation, as Driver is.
type ServiceDriver interface {
	// CreateBucket answers BucketExists where the name is taken, by whomever.
	CreateBucket(ctx context.Context, r *BucketRequest) (*BucketInfo, error)
	BucketInfo(ctx context.Context, name string) (*BucketInfo, error)
	// UpdateBucket fails only if the change does: a look after it may not.
	UpdateBucket(ctx context.Context, r *BucketRequest) (*BucketInfo, error)
	// DeleteBucket is called when the core has looked: it was empty. One that
	// is not empty after all must not be deleted where the provider can tell.
	DeleteBucket(ctx context.Context, name string) error
	// ListBuckets is one page, by name.
	ListBuckets(ctx context.Context, token string) ([]BucketInfo, string, error)
	// Driver makes no request.
	Driver(name string) (Driver, error)
	Credentials(ctx context.Context, name string) (*Credentials, error)
	Provider() string
	Close() error
}

// UnimplementedServiceDriver answers Unsupported to everything that a service
// driver may leave out. Embed it by value.
type UnimplementedServiceDriver struct{}

// CreateBucket is Unsupported.
func (UnimplementedServiceDriver) CreateBucket(context.Context, *BucketRequest) (*BucketInfo, error) {
	return nil, Unsupported
}

// BucketInfo is Unsupported.
func (UnimplementedServiceDriver) BucketInfo(context.Context, string) (*BucketInfo, error) {
	return nil, Unsupported
}

// UpdateBucket is Unsupported.
func (UnimplementedServiceDriver) UpdateBucket(context.Context, *BucketRequest) (*BucketInfo, error) {
	return nil, Unsupported
}

// DeleteBucket is Unsupported.
func (UnimplementedServiceDriver) DeleteBucket(context.Context, string) error { return Unsupported }

// ListBuckets is Unsupported.
func (UnimplementedServiceDriver) ListBuckets(context.Context, string) ([]BucketInfo, string, error) {
	return nil, "", Unsupported
}

// Driver is Unsupported.
func (UnimplementedServiceDriver) Driver(string) (Driver, error) { return nil, Unsupported }

// Credentials is Unsupported.
func (UnimplementedServiceDriver) Credentials(context.Context, string) (*Credentials, error) {
	return nil, Unsupported
}

// Provider is unknown.
func (UnimplementedServiceDriver) Provider() string { return "" }

// Close does nothing.
func (UnimplementedServiceDriver) Close() error { return nil }

// A BucketOption says how a bucket shall be.
type BucketOption interface{ applyBucket(*BucketRequest) }

type bucketOption func(*BucketRequest)

func (o bucketOption) applyBucket(r *BucketRequest) { o(r) }

// A BucketRequest's nil fields were not asked for; WithCORS() with no rule is
// an empty list: clear them.
type BucketRequest struct {
	Name, Region string
	PublicAccess *bool
	Versioning   *bool
	CORS         *[]CORSRule
	Lifecycle    *[]LifecycleRule
}

// WithRegion says where CreateBucket makes the bucket, in the provider's words.
// Unsupported on Azure, where it is the account's.
func WithRegion(region string) BucketOption {
	return bucketOption(func(r *BucketRequest) { r.Region = region })
}

// WithPublicAccess makes every object of the bucket readable by anyone, or by
// nobody without credentials.
func WithPublicAccess(public bool) BucketOption {
	return bucketOption(func(r *BucketRequest) { r.PublicAccess = &public })
}

// WithVersioning has the bucket keep versions, or no new ones.
func WithVersioning(on bool) BucketOption {
	return bucketOption(func(r *BucketRequest) { r.Versioning = &on })
}

// WithCORS replaces the bucket's CORS rules; without a rule it clears them.
func WithCORS(rules ...CORSRule) BucketOption {
	return bucketOption(func(r *BucketRequest) {
		kept := append([]CORSRule{}, rules...)
		r.CORS = &kept
	})
}

// WithLifecycle replaces the bucket's lifecycle rules; without a rule it clears
// them.
func WithLifecycle(rules ...LifecycleRule) BucketOption {
	return bucketOption(func(r *BucketRequest) {
		kept := append([]LifecycleRule{}, rules...)
		r.Lifecycle = &kept
	})
}

// BucketInfo describes a bucket. What a provider does not say, or the credentials
// may not read, is the zero value.
type BucketInfo struct {
	Name       string
	Provider   string
	Region     string
	Created    time.Time
	Public     bool
	Versioning bool
	CORS       []CORSRule
	Lifecycle  []LifecycleRule
}

// A CORSRule lets pages of other origins use the bucket.
type CORSRule struct {
	Origins, Methods, AllowedHeaders, ExposedHeaders []string
	MaxAge                                           time.Duration
}

// A LifecycleRule is applied by the store to the keys under Prefix. Zero days are
// never. On local and memory transfer.Expire applies what expires; uploads in
// parts these two drop themselves, when a later one is begun and, on local, when
// the bucket is opened: AbortUploadsAfterDays after they were begun and, without a
// rule too, a week after their last part.
type LifecycleRule struct {
	ID                         string
	Prefix                     string
	ExpireAfterDays            int
	ExpireOldVersionsAfterDays int
	AbortUploadsAfterDays      int
	TransitionAfterDays        int
	TransitionTo               string // the provider's storage class
}

// Credentials are what another S3 client needs to reach the bucket. String and
// slog show no secret.
type Credentials struct {
	Endpoint, Region, Bucket             string
	AccessKeyID, SecretKey, SessionToken string
	ExpiresAt                            time.Time // zero: they do not expire or, with a SessionToken, do not say when
}

// String tells where and who, without a secret.
func (c Credentials) String() string {
	return "credentials " + c.AccessKeyID + " for bucket " + c.Bucket + " at " + c.Endpoint
}

// GoString is String.
func (c Credentials) GoString() string { return c.String() }

// LogValue shows no secret.
func (c Credentials) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("endpoint", c.Endpoint),
		slog.String("region", c.Region),
		slog.String("bucket", c.Bucket),
		slog.String("accessKeyID", c.AccessKeyID),
		slog.Time("expiresAt", c.ExpiresAt),
	)
}
