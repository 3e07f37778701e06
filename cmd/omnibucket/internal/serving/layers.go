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
	// The library looks for this optional interface, which readOnlyService would hide.
	return struct {
		driver.ServiceDriver
		driver.PrivateDriver
	}{readOnlyService{service}, private}
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
