package gcs

import (
	"context"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// Restore only checks that the object exists, because Google can read every storage class
// immediately, unless r.SoftDeleted is set: then it restores a soft-deleted object.
func (d *objectDriver) Restore(ctx context.Context, r *driver.ChangeRequest) error {
	if r.SoftDeleted {
		return d.undelete(ctx, r)
	}
	_, err := d.bucket.find(ctx, &driver.GetRequest{Key: r.Key, Version: r.Version, Length: -1, Native: r.Native})
	return sdkerror.WithoutEffect(err) // this request has written nothing
}
