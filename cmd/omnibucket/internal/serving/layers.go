package serving

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/driver"
)

// readOnly returns an account whose buckets cannot be created, updated or removed.
func readOnly(service driver.ServiceDriver) driver.ServiceDriver {
	private, ok := service.(driver.PrivateDriver)
	if !ok {
		return readOnlyService{service}
	}
	return readOnlyPrivateService{ServiceDriver: readOnlyService{service}, private: private}
}

// A readOnlyService refuses to create, update and delete buckets. It complements the layer
// "readonly", which only refuses changes of objects.
type readOnlyService struct{ driver.ServiceDriver }

func (s readOnlyService) CreateBucket(context.Context, *driver.BucketRequest) (*storage.BucketInfo, error) {
	return nil, program.ErrReadOnly
}

func (s readOnlyService) UpdateBucket(context.Context, *driver.BucketRequest) (*storage.BucketInfo, error) {
	return nil, program.ErrReadOnly
}

func (s readOnlyService) DeleteBucket(context.Context, string) error { return program.ErrReadOnly }

var _ driver.PrivateDriver = readOnlyPrivateService{}

// A readOnlyPrivateService is a readOnlyService that has private objects. It does not embed the
// interface PrivateDriver: the name of that field would hide the method of the same name.
type readOnlyPrivateService struct {
	driver.ServiceDriver // a readOnlyService
	private              driver.PrivateDriver
}

// PrivateDriver returns the driver of a bucket's private objects, which a layer keeps from being changed.
func (s readOnlyPrivateService) PrivateDriver(ctx context.Context, bucket string, create bool) (driver.Driver, error) {
	return s.private.PrivateDriver(ctx, bucket, create)
}
