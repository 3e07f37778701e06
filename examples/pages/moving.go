package pages

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/overlay"
)

// openBoth returns one bucket of two stores: it writes to the new one, and reads from both.
func openBoth(ctx context.Context, oldAddress, newAddress string, config overlay.Config) (storage.Bucket, error) {
	old, err := storage.Open(ctx, oldAddress)
	if err != nil {
		return nil, err
	}
	layer, err := overlay.New(old, config)
	if err != nil {
		return nil, err
	}
	return storage.Open(ctx, newAddress, driver.WithLayer(layer))
}

// move copies what only the old store has, while the program serves its users. It returns how many
// objects are left, of those that could not be copied.
func move(ctx context.Context, bucket storage.Bucket) (left int64, err error) {
	report, err := overlay.Finish(ctx, bucket, overlay.FinishConfig{})
	return report.Left, err
}
