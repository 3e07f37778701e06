package local

import (
	"context"

	"github.com/omnibucket/storage/driver"
)

// Restore restores a soft-deleted object if r.SoftDeleted is set. Otherwise it only checks that the
// object exists, because this provider archives none.
func (d *objectDriver) Restore(ctx context.Context, r *driver.ChangeRequest) error {
	if !r.SoftDeleted {
		_, err := d.Head(ctx, &driver.GetRequest{Key: r.Key, Version: r.Version, Length: -1})
		return err
	}
	store, err := d.acquire(ctx)
	if err != nil {
		return err
	}
	defer d.release(store)
	return store.Undelete(ctx, r)
}
