package local

import (
	"context"

	"github.com/omnibucket/storage/driver"
)

// Restore does nothing for an object that exists, because this provider archives no object. If
// r.SoftDeleted is set, it restores a soft-deleted object.
func (d *objectDriver) Restore(ctx context.Context, r *driver.ChangeRequest) error {
	if !r.SoftDeleted {
		_, err := d.Head(ctx, &driver.GetRequest{Key: r.Key, Version: r.Version, Length: -1})
		return err
	}
	s, err := d.acquire(ctx)
	if err != nil {
		return err
	}
	defer d.release(s)
	return s.Undelete(ctx, r)
}
