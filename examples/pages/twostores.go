package pages

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/mirror"
)

// openMirror returns one bucket that stores its objects in two stores, and the bucket of the second
// store. Close the first result, and then the second.
func openMirror(ctx context.Context, primary, second string) (storage.Bucket, storage.Bucket, error) {
	other, err := storage.Open(ctx, second)
	if err != nil {
		return nil, nil, err
	}
	layer, err := mirror.New(other, mirror.Config{})
	if err != nil {
		return nil, nil, err
	}
	bucket, err := storage.Open(ctx, primary, driver.WithLayer(layer))
	return bucket, other, err
}

// readReport reads an object. If the primary store does not respond, it reads the second store and
// returns true, because the data may be older than the last write.
func readReport(ctx context.Context, bucket storage.Bucket, key string) (data []byte, old bool, err error) {
	data, attrs, err := storage.ReadAll(ctx, bucket, key)
	if err != nil {
		return nil, false, err
	}
	return data, mirror.FailedOver(attrs), nil
}

// repair makes both stores equal for each write that left a note. Call it every few minutes. It returns the number of
// writes that the second store may lack.
func repair(ctx context.Context, bucket storage.Bucket) (left int64, err error) {
	if _, err := mirror.Repair(ctx, bucket); err != nil {
		return 0, err
	}
	state, err := mirror.Status(ctx, bucket)
	return state.Notes, err
}
