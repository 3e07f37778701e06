package local

import (
	"context"
	"path/filepath"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/bucketstore"
)

// privateName is the directory for private objects in a bucket's reserved directory. It is itself a
// bucket.
const privateName = "private"

const privatePath = bucketdir.Reserved + "/" + privateName

var _ driver.PrivateDriver = (*serviceDriver)(nil)

// PrivateDriver returns a driver for the directory .omnibucket/private of a bucket. If the directory
// does not exist, PrivateDriver creates it if create is true, and fails with BucketNotFound otherwise.
func (s *serviceDriver) PrivateDriver(ctx context.Context, bucket string, create bool) (driver.Driver, error) {
	store, closeBucket, err := s.openBucket(ctx, bucket)
	if err != nil {
		return nil, err
	}
	defer closeBucket()
	if err := findPrivate(ctx, store, create); err != nil {
		return nil, err
	}

	// Sidecars are for programs that copy the objects of a bucket, but these objects are hidden from them.
	config := s.config
	config.Sidecars = false
	parent := filepath.Join(s.path, bucket, bucketdir.Reserved)
	return bucketDriver(parent, privateName, config), nil
}

// findPrivate creates the private directory of a bucket if create is true. Otherwise it fails with
// BucketNotFound if the directory does not exist.
func findPrivate(ctx context.Context, store *bucketstore.Store, create bool) error {
	if create {
		return store.Tree.Retry(ctx, func() error { return store.Tree.Mkdirs(privatePath) })
	}
	if _, err := store.Root.Lstat(privatePath); err != nil {
		return storage.BucketNotFound
	}
	return nil
}
