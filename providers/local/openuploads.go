package local

import (
	"context"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
)

// ListParts returns a page of the parts that an upload has so far, with their checksums.
func (d *objectDriver) ListParts(ctx context.Context, r *driver.ListPartsRequest) (*driver.PartPage, error) {
	store, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(store)
	return bucketdir.RetryFor(ctx, func() (*driver.PartPage, error) { return store.Uploads.ListParts(ctx, r) })
}

// ListUploads returns a page of the uploads in progress. It omits an upload that ends while the list
// is being made.
func (d *objectDriver) ListUploads(ctx context.Context, r *driver.ListUploadsRequest) (*driver.UploadPage, error) {
	store, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(store)
	return bucketdir.RetryFor(ctx, func() (*driver.UploadPage, error) { return store.Uploads.List(ctx, r) })
}
