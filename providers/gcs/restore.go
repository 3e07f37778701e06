package gcs

import (
	"context"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// Restore makes sure that there is such an object. Google serves every class at once.
func (d *objectDriver) Restore(ctx context.Context, r *driver.ChangeRequest) error {
	if r.SoftDeleted {
		return d.undelete(ctx, r)
	}
	_, err := d.bucket.find(ctx, &driver.GetRequest{Key: r.Key, Version: r.Version, Length: -1, Native: r.Native})
	return sdkerror.WithoutEffect(err) // nothing was written by this request
}
