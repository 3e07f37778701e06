package local

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
)

// BeginParts creates a directory for the parts. The directory remains until the upload is completed
// or aborted, or until a sweep discards it as abandoned. BeginParts itself sweeps at most once an
// hour.
func (d *objectDriver) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer d.release(s)
	return s.Uploads.Begin(ctx, r)
}

// PutPart stores a part, and atomically replaces an earlier part with the same number. The result
// has a tag, which identifies the file with the part's bytes. If several parts share the file, the
// tag also contains the part's range in the file.
func (d *objectDriver) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	turn, err := bucketdir.Bodies.TakeOrPass(ctx)
	if err != nil {
		return driver.Part{}, err
	}
	defer bucketdir.Bodies.EndIf(turn)
	s, err := d.acquireNow(ctx)
	if err != nil {
		return driver.Part{}, err
	}
	defer d.releaseNow(s)
	return s.Uploads.PutPart(ctx, r)
}

// CompleteParts joins the parts in one file and places the file as Put does. If that fails, the
// parts remain for another attempt or for AbortParts.
func (d *objectDriver) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(s)
	return s.Uploads.Complete(ctx, r)
}

// AbortParts removes the upload and its parts.
func (d *objectDriver) AbortParts(ctx context.Context, key, upload string) error {
	s, err := d.acquire(ctx)
	if err != nil {
		return err
	}
	defer d.release(s)
	return s.Uploads.Abort(ctx, key, upload)
}
