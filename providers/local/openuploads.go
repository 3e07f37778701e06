package local

import (
	"context"

	"github.com/omnibucket/storage/driver"
)

// ListParts returns the parts that an upload has now, with their checksums.
func (d *objectDriver) ListParts(ctx context.Context, r *driver.ListPartsRequest) (*driver.PartPage, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(s)
	return waitingForFiles(ctx, func() (*driver.PartPage, error) { return s.Uploads.ListParts(ctx, r) })
}

// ListUploads returns the uploads in progress, sorted by their names. It omits an upload that ends
// while it is being read.
func (d *objectDriver) ListUploads(ctx context.Context, r *driver.ListUploadsRequest) (*driver.UploadPage, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(s)
	return waitingForFiles(ctx, func() (*driver.UploadPage, error) { return s.Uploads.List(ctx, r) })
}
