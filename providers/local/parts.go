package local

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
)

// BeginParts begins a multipart upload and returns its ID. At most once an hour, it also discards
// abandoned uploads.
func (d *objectDriver) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	store, err := d.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer d.release(store)
	return store.Uploads.Begin(ctx, r)
}

// PutPart stores a part, and atomically replaces an earlier part with the same number. The tag of
// the result identifies the part's bytes on the disk: a file, and a range if parts share the file.
func (d *objectDriver) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	// A semaphore limits the number of open files.
	hasSlot, err := bucketdir.Bodies.AcquireOrPass(ctx)
	if err != nil {
		return driver.Part{}, err
	}
	defer bucketdir.Bodies.ReleaseIf(hasSlot)

	store, err := d.acquireNow(ctx)
	if err != nil {
		return driver.Part{}, err
	}
	defer d.releaseNow(store)
	return store.Uploads.PutPart(ctx, r)
}

// CompleteParts joins the parts in one file, which becomes the object. If that fails, the parts
// remain for another attempt or for AbortParts.
func (d *objectDriver) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	store, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(store)
	return store.Uploads.Complete(ctx, r)
}

// AbortParts ends an upload and removes its parts.
func (d *objectDriver) AbortParts(ctx context.Context, key, upload string) error {
	store, err := d.acquire(ctx)
	if err != nil {
		return err
	}
	defer d.release(store)
	return store.Uploads.Abort(ctx, key, upload)
}
