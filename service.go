package storage

import (
	"context"
	"iter"
)

// A Service manages the buckets of one account at one provider. Its methods are safe for concurrent
// use.
type Service interface {
	// CreateBucket creates a bucket. If anybody has a bucket of that name, it fails with
	// BucketExists. Every provider accepts a name of 3 to 63 characters of a-z, 0-9 and "-", with a
	// letter or digit at both ends and without "--". Any other name is InvalidArgument.
	CreateBucket(ctx context.Context, name string, opts ...BucketOption) (*BucketInfo, error)

	// BucketInfo describes a bucket. If there is none, it fails with BucketNotFound. A field that
	// the credentials may not read is zero.
	BucketInfo(ctx context.Context, name string) (*BucketInfo, error)

	// UpdateBucket changes only what the options name. It succeeds if the change was made, even if
	// the bucket cannot be read afterwards.
	UpdateBucket(ctx context.Context, name string, opts ...BucketOption) (*BucketInfo, error)

	// Buckets yields the account's buckets by name, and at most one error, last.
	Buckets(ctx context.Context) iter.Seq2[BucketInfo, error]

	// DeleteBucket removes an empty bucket. If the bucket has an object or an old version, it fails
	// with BucketNotEmpty, on every provider.
	DeleteBucket(ctx context.Context, name string) error

	// Bucket opens a bucket of the account without a request: if there is none, the first
	// operation fails with BucketNotFound. opts are applied after the service's own. If
	// CreateBucket, UpdateBucket or BucketInfo of this Service reported that the bucket keeps
	// versions, it is opened as with [WithVersions]. Another process, or another Service, must
	// give that option for S3 and GCS.
	Bucket(name string, opts ...OpenOption) (Bucket, error)

	// Credentials returns what another S3 client needs to reach the bucket. If the provider does
	// not speak S3's protocol, it fails with Unsupported.
	Credentials(ctx context.Context, name string) (*Credentials, error)

	// Close closes the buckets that Bucket opened, and releases what opening the service
	// took. After that, every operation on them and on the service fails with InvalidArgument.
	Close() error
}
