package local

import (
	"context"

	"github.com/omnibucket/storage"
)

// Restore does nothing: no object is archived.
func (d *driver) Restore(ctx context.Context, r *storage.ChangeRequest) error {
	_, err := d.Head(ctx, &storage.GetRequest{Key: r.Key, Version: r.Version, Length: -1})
	return err
}
