package storagetest

import (
	"context"
	"sync"

	"github.com/omnibucket/storage"
)

// pendingUploads tracks the multipart uploads that the core has begun and neither
// completed nor aborted.
type pendingUploads struct {
	mu      sync.Mutex
	pending map[string]bool
}

// countPendingUploads returns the number of multipart uploads that were left
// unfinished.
func (t *T) countPendingUploads() int {
	t.uploads.mu.Lock()
	defer t.uploads.mu.Unlock()
	return len(t.uploads.pending)
}

func (u *pendingUploads) layer(next storage.Driver) storage.Driver {
	return &uploadTracker{Driver: next, book: u}
}

func (u *pendingUploads) note(upload string, pending bool) {
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
	storage.Driver
	book *pendingUploads
}

func (d *uploadTracker) BeginParts(ctx context.Context, r *storage.PutRequest) (string, error) {
	upload, err := d.Driver.BeginParts(ctx, r)
	if err == nil {
		d.book.note(upload, true)
	}
	return upload, err
}

func (d *uploadTracker) CompleteParts(ctx context.Context, r *storage.CompleteRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.CompleteParts(ctx, r)
	if err == nil {
		d.book.note(r.Upload, false)
	}
	return attrs, err
}

func (d *uploadTracker) AbortParts(ctx context.Context, key, upload string) error {
	err := d.Driver.AbortParts(ctx, key, upload)
	if err == nil {
		d.book.note(upload, false)
	}
	return err
}
