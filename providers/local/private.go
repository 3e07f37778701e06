package local

import (
	"context"
	"path/filepath"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// privateName is the directory of the private objects of a bucket, which is like a bucket.
const privateName = "private"

var _ driver.PrivateDriver = (*serviceDriver)(nil)

// PrivateDriver returns a driver of the directory .omnibucket/private in a bucket.
func (s *serviceDriver) PrivateDriver(ctx context.Context, bucket string, create bool) (driver.Driver, error) {
	b, done, err := s.openBucket(ctx, bucket)
	if err != nil {
		return nil, err
	}
	defer done()
	if create {
		err = b.tree.retry(ctx, func() error { return b.tree.mkdirs(privatePath) })
	} else if _, missing := b.root.Lstat(privatePath); missing != nil {
		err = storage.BucketNotFound
	}
	if err != nil {
		return nil, err
	}
	c := s.config
	c.Sidecars = false
	return bucketDriver(filepath.Join(s.path, bucket, reserved), privateName, c), nil
}
