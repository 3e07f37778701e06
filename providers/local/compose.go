package local

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Compose joins objects of this bucket. The bytes pass through this process, which computes the
// checksum of the result.
func (d *objectDriver) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	store, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(store)

	parent, bucket := resolvedPath(d)
	for _, ref := range r.Sources {
		isInBucket := ref.Account == account{parent} && ref.Bucket == bucket
		if !isInBucket {
			return nil, storage.Unsupported
		}
	}
	return store.Objects.Compose(ctx, r)
}
