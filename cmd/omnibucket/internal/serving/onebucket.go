package serving

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A oneBucketService is an account that shows only one bucket. It does not implement
// [driver.PrivateDriver], which gives access to private objects of a store. If it did, a layer of
// two stores would look for private objects of one store in the other store.
type oneBucketService struct {
	driver.ServiceDriver
	name string
}

// CreateBucket creates the bucket, and refuses any other name.
func (s oneBucketService) CreateBucket(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	if r.Name != s.name {
		return nil, &storage.Error{
			Code: storage.PermissionDenied,
			Err:  errors.New("the server has one bucket, that of its location"),
		}
	}
	return s.ServiceDriver.CreateBucket(ctx, r)
}

// BucketInfo returns the settings of the bucket. Other buckets do not exist.
func (s oneBucketService) BucketInfo(ctx context.Context, name string) (*storage.BucketInfo, error) {
	if name != s.name {
		return nil, storage.BucketNotFound
	}
	return s.ServiceDriver.BucketInfo(ctx, name)
}

// UpdateBucket changes the settings of the bucket. Other buckets do not exist.
func (s oneBucketService) UpdateBucket(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	if r.Name != s.name {
		return nil, storage.BucketNotFound
	}
	return s.ServiceDriver.UpdateBucket(ctx, r)
}

// DeleteBucket deletes the bucket. Other buckets do not exist.
func (s oneBucketService) DeleteBucket(ctx context.Context, name string) error {
	if name != s.name {
		return storage.BucketNotFound
	}
	return s.ServiceDriver.DeleteBucket(ctx, name)
}

// ListBuckets lists the bucket, or nothing if it does not exist. The only page has no token for a next one.
func (s oneBucketService) ListBuckets(ctx context.Context, _ string) ([]storage.BucketInfo, string, error) {
	info, err := s.ServiceDriver.BucketInfo(ctx, s.name)
	if info != nil {
		// The settings are incomplete if some of them may not be read.
		return []storage.BucketInfo{*info}, "", nil
	}
	if storage.CodeOf(err) == storage.BucketNotFound {
		return nil, "", nil
	}
	return nil, "", err
}

// Driver returns the driver of the bucket. Other buckets do not exist.
func (s oneBucketService) Driver(name string) (driver.Driver, error) {
	if name != s.name {
		return nil, storage.BucketNotFound
	}
	return s.ServiceDriver.Driver(name)
}
