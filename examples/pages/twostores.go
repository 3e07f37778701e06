package pages

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/mirror"
)

// openMirror returns one bucket whose objects are in two stores. Close the bucket, and then the second store.
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

// readReport also reports whether the data may be older than the last write, because the primary store did not
// respond.
func readReport(ctx context.Context, bucket storage.Bucket, key string) (data []byte, old bool, err error) {
	data, attrs, err := storage.ReadAll(ctx, bucket, key)
	if err != nil {
		return nil, false, err
	}
	return data, mirror.FailedOver(attrs), nil
}

// repair makes both stores equal where a write left a note. A schedule calls it every few minutes. It returns how
// many writes the second store may lack.
func repair(ctx context.Context, bucket storage.Bucket) (left int64, err error) {
	if _, err := mirror.Repair(ctx, bucket); err != nil {
		return 0, err
	}
	state, err := mirror.Status(ctx, bucket)
	return state.Notes, err
}
