package local

import (
	"context"

	"github.com/omnibucket/storage/driver"
)

// Restore does nothing: no object is archived.
func (d *objectDriver) Restore(ctx context.Context, r *driver.ChangeRequest) error {
	_, err := d.Head(ctx, &driver.GetRequest{Key: r.Key, Version: r.Version, Length: -1})
	return err
}
