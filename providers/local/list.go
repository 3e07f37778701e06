package local

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/bucketstore"
)

// List returns a page of objects. It reads only directories that may contain a key of the page, and
// calls stat only for the files of the page.
func (d *objectDriver) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	pos, err := bucketstore.ParseToken(r)
	if err != nil {
		return nil, err
	}

	store, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(store)
	return bucketdir.RetryFor(ctx, func() (*storage.Page, error) { return store.List(ctx, r, pos) })
}
