package memstore

import (
	"context"

	"github.com/omnibucket/storage/driver"
)

var _ driver.PrivateDriver = (*serviceDriver)(nil)

// PrivateDriver returns a driver for the private objects of a bucket. They are in a bucket of another
// account, so no listing of the bucket shows them.
func (s *serviceDriver) PrivateDriver(ctx context.Context, bucket string, _ bool) (driver.Driver, error) {
	b, err := s.open(ctx, bucket)
	if err != nil {
		return nil, err
	}
	a := b.private()
	a.findOrCreate("private")
	return &objectDriver{account: a, bucket: "private"}, nil
}
