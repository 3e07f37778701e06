package local

import (
	"context"
	"path/filepath"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
)

// privateName is the directory for private objects in a bucket's reserved directory. It is itself a
// bucket.
const privateName = "private"

const privatePath = bucketdir.Reserved + "/" + privateName

var _ driver.PrivateDriver = (*serviceDriver)(nil)

// PrivateDriver returns a driver for the directory .omnibucket/private of a bucket. If create is
// true, it creates the directory. If create is false and the directory does not exist, PrivateDriver
// fails with BucketNotFound.
func (s *serviceDriver) PrivateDriver(ctx context.Context, bucket string, create bool) (driver.Driver, error) {
	b, done, err := s.openBucket(ctx, bucket)
	if err != nil {
		return nil, err
	}
	defer done()
	if create {
		err = b.Tree.Retry(ctx, func() error { return b.Tree.Mkdirs(privatePath) })
	} else if _, statErr := b.Root.Lstat(privatePath); statErr != nil {
		err = storage.BucketNotFound
	}
	if err != nil {
		return nil, err
	}

	c := s.config
	c.Sidecars = false
	return bucketDriver(filepath.Join(s.path, bucket, bucketdir.Reserved), privateName, c), nil
}
