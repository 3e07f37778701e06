package local

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
)

// Open opens the bucket in the directory root. If the directory does not exist, Open fails with
// BucketNotFound, or creates the directory if [Config].Create is set. If root is "" or not a
// directory, or if a signing key is too short, it fails with InvalidArgument. If the directory may
// not be read, it fails with PermissionDenied.
//
// Open removes temporary files that killed writers have left. It also discards abandoned multipart
// uploads. An upload is abandoned if it received no part for a week, or if it is older than
// AbortUploadsAfterDays in a lifecycle rule of the bucket.
//
// Abandoned uploads are also discarded when a multipart upload begins, at most once an hour.
// Opening a bucket of a service does not discard abandoned uploads. In this bucket, they are
// discarded only when a multipart upload begins.
func Open(root string, c Config, opts ...storage.OpenOption) (storage.Bucket, error) {
	d, err := NewDriver(root, c)
	if err != nil {
		return nil, err
	}
	return engine.New(d, opts...), nil
}

// NewDriver opens a bucket as [Open] does, and returns a driver for [engine.New].
func NewDriver(root string, c Config) (driver.Driver, error) {
	d, err := newDriver(root, c)
	if err != nil {
		return nil, err
	}
	s, err := d.acquire(context.Background())
	if err != nil {
		_ = d.Close()
		return nil, err
	}
	defer d.release(s)
	return d, s.Sweep(context.Background())
}

// NewService returns a service whose buckets are the directories in root. It fails with the same
// errors as [Open].
func NewService(root string, c Config, opts ...storage.OpenOption) (storage.Service, error) {
	d, err := NewServiceDriver(root, c)
	if err != nil {
		return nil, err
	}
	return engine.NewService(d, opts...), nil
}
