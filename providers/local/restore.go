package local

import (
	"context"

	"github.com/omnibucket/storage/driver"
)

// Restore does nothing for an object that is there: none is archived.
func (d *objectDriver) Restore(ctx context.Context, r *driver.ChangeRequest) error {
	if r.SoftDeleted {
		s, err := d.acquire(ctx)
		if err != nil {
			return err
		}
		defer d.release(s)
		return s.undelete(ctx, r)
	}
	_, err := d.Head(ctx, &driver.GetRequest{Key: r.Key, Version: r.Version, Length: -1})
	return err
}
