package gcs

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// Restore makes sure that there is such an object. Google serves every class at once.
func (d *driver) Restore(ctx context.Context, r *storage.ChangeRequest) error {
	_, err := d.bucket.find(ctx, &storage.GetRequest{Key: r.Key, Version: r.Version, Length: -1, Native: r.Native})
	return sdkerror.WithoutEffect(err) // nothing was written
}
