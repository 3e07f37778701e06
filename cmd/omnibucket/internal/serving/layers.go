package serving

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/driver"
)

// withLayers returns an account whose buckets have layers. If it is read-only, its buckets stay as
// they are, too.
func withLayers(service driver.ServiceDriver, layers []driver.Layer, readOnly bool) driver.ServiceDriver {
	if len(layers) == 0 {
		return service
	}
	around := func(d driver.Driver, err error) (driver.Driver, error) {
		if err != nil {
			return nil, err
		}
		for _, layer := range layers {
			d = layer(d)
		}
		return d, nil
	}
	layered := &layeredService{service, around, readOnly}
	if private, ok := service.(driver.PrivateDriver); ok {
		return struct {
			driver.ServiceDriver
			driver.PrivateDriver
		}{layered, &layeredPrivate{private, around}}
	}
	return layered
}

type layeredService struct {
	driver.ServiceDriver
	around   func(driver.Driver, error) (driver.Driver, error)
	readOnly bool
}

func (s *layeredService) Driver(name string) (driver.Driver, error) {
	return s.around(s.ServiceDriver.Driver(name))
}

func (s *layeredService) CreateBucket(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	if s.readOnly {
		return nil, program.ErrReadOnly
	}
	return s.ServiceDriver.CreateBucket(ctx, r)
}

func (s *layeredService) UpdateBucket(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	if s.readOnly {
		return nil, program.ErrReadOnly
	}
	return s.ServiceDriver.UpdateBucket(ctx, r)
}

func (s *layeredService) DeleteBucket(ctx context.Context, name string) error {
	if s.readOnly {
		return program.ErrReadOnly
	}
	return s.ServiceDriver.DeleteBucket(ctx, name)
}

// A layeredPrivate keeps objects beside those of a bucket, through the same layers.
type layeredPrivate struct {
	inner  driver.PrivateDriver
	around func(driver.Driver, error) (driver.Driver, error)
}

func (p *layeredPrivate) PrivateDriver(ctx context.Context, bucket string, create bool) (driver.Driver, error) {
	return p.around(p.inner.PrivateDriver(ctx, bucket, create))
}
