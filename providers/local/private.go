package local

import (
	"context"
	"path/filepath"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// privateName is the directory of the private objects of a bucket, which is like a bucket.
const privateName = "private"

var _ driver.PrivateDriver = (*serviceDriver)(nil)

// PrivateDriver returns a driver of the directory .omnibucket/private in a bucket.
func (s *serviceDriver) PrivateDriver(ctx context.Context, bucket string, create bool) (driver.Driver, error) {
	if err := interrupted(ctx); err != nil {
		return nil, err
	}
	if err := checkName(bucket); err != nil {
		return nil, storage.BucketNotFound
	}
	a, err := s.open()
	if err != nil {
		return nil, err
	}
	defer a.closeRoot()
	if create {
		if err := a.makePrivateDir(bucket); err != nil {
			return nil, err
		}
	} else if _, err := a.root.Lstat(bucket + "/" + privatePath); err != nil {
		return nil, storage.BucketNotFound
	}
	c := s.config
	d := bucketDriver(filepath.Join(s.path, bucket, reserved), privateName, Config{NoSync: c.NoSync, Now: c.Now, FileMode: c.FileMode})
	d.managed = true
	return d, nil
}

func (a *openAccount) makePrivateDir(bucket string) error {
	parent := bucket
	for _, path := range [...]string{reserved, privatePath} {
		path = bucket + "/" + path
		if err := a.root.Mkdir(path, 0o777); err != nil {
			switch {
			case isExist(err):
				parent = path
				continue
			case osdir.IsNotExist(err):
				return storage.BucketNotFound
			}
			return failure(err)
		}
		if !a.config.NoSync {
			if err := syncDir(a.root, parent); err != nil {
				return unknownOutcome(err)
			}
		}
		parent = path
	}
	return nil
}
