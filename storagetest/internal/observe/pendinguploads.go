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
	pending map[string]bool
}

// Count returns the number of uploads that were left unfinished.
func (u *PendingUploads) Count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.pending)
}

// Layer returns a driver whose uploads are tracked.
func (u *PendingUploads) Layer(next driver.Driver) driver.Driver {
	return &uploadTracker{Driver: next, book: u}
}

// note records whether an upload is unfinished.
func (u *PendingUploads) note(upload string, pending bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !pending {
		delete(u.pending, upload)
		return
	}
	if u.pending == nil {
		u.pending = map[string]bool{}
	}
	u.pending[upload] = true
}

type uploadTracker struct {
	driver.Driver
	book *PendingUploads
}

func (d *uploadTracker) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	upload, err := d.Driver.BeginParts(ctx, r)
	if err != nil {
		return "", err
	}
	d.book.note(upload, true)
	return upload, nil
}

func (d *uploadTracker) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.CompleteParts(ctx, r)
	if err != nil {
		return nil, err
	}
	d.book.note(r.Upload, false)
	return attrs, nil
}

func (d *uploadTracker) AbortParts(ctx context.Context, key, upload string) error {
	if err := d.Driver.AbortParts(ctx, key, upload); err != nil {
		return err
	}
	d.book.note(upload, false)
	return nil
}
