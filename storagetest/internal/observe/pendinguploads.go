package observe

import (
	"context"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// PendingUploads tracks the multipart uploads that the engine has begun and neither
// completed nor aborted.
type PendingUploads struct {
	mu      sync.Mutex
	pending map[string]bool // IDs of the uploads
}

// Count returns the number of uploads that were left unfinished.
func (u *PendingUploads) Count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.pending)
}

// Layer returns a driver whose uploads are tracked.
func (u *PendingUploads) Layer(next driver.Driver) driver.Driver {
	return &uploadTracker{Driver: next, uploads: u}
}

// add records that an upload has begun.
func (u *PendingUploads) add(upload string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.pending == nil {
		u.pending = map[string]bool{}
	}
	u.pending[upload] = true
}

// remove records that an upload was completed or aborted.
func (u *PendingUploads) remove(upload string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.pending, upload)
}

// An uploadTracker records the uploads of a driver.
type uploadTracker struct {
	driver.Driver
	uploads *PendingUploads
}

// BeginParts records that an upload has begun.
func (d *uploadTracker) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	upload, err := d.Driver.BeginParts(ctx, r)
	if err != nil {
		return "", err
	}
	d.uploads.add(upload)
	return upload, nil
}

// CompleteParts records the end of an upload, unless the call fails.
func (d *uploadTracker) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.CompleteParts(ctx, r)
	if err != nil {
		return nil, err
	}
	d.uploads.remove(r.Upload)
	return attrs, nil
}

// AbortParts records the end of an upload, unless the call fails.
func (d *uploadTracker) AbortParts(ctx context.Context, key, upload string) error {
	if err := d.Driver.AbortParts(ctx, key, upload); err != nil {
		return err
	}
	d.uploads.remove(upload)
	return nil
}
