package pages

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/overlay"
)

// openBoth returns one bucket for two stores. It writes to the new store and reads from both.
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

// move copies the objects that only the old store has, while the program serves its users. It returns the number of
// objects that could not be copied.
func move(ctx context.Context, bucket storage.Bucket) (left int64, err error) {
	report, err := overlay.Finish(ctx, bucket, overlay.FinishConfig{})
	return report.Left, err
}
