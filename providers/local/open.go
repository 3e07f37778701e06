package local

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
)

// Open opens the bucket in the directory root. If the directory does not exist, Open creates it if
// [Config].Create is set, and fails with BucketNotFound otherwise. It fails with InvalidArgument if
// root is "" or not a directory, or if a signing key is too short, and with PermissionDenied if the
// directory may not be read.
//
// Open removes temporary files that killed writers have left, and discards abandoned multipart
// uploads. An upload is abandoned if it received no part for a week, or if it is older than
// AbortUploadsAfterDays in a lifecycle rule of the bucket.
//
// Abandoned uploads are also discarded when a multipart upload begins, at most once an hour. In a
// bucket of a service, they are discarded only then.
func Open(root string, c Config, opts ...storage.OpenOption) (storage.Bucket, error) {
	d, err := NewDriver(root, c)
	if err != nil {
		return nil, err
	}
	return engine.New(d, opts...), nil
}

// NewDriver returns the driver of a bucket, for use with [engine.New]. It opens the bucket as [Open]
// does, with the same errors.
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
	if err := s.Sweep(context.Background()); err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
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
