package local

import (
	"context"

	"github.com/omnibucket/storage/driver"
)

// SetRetention sets or ends the retention of an object. A longer retention is always permitted.
func (d *objectDriver) SetRetention(ctx context.Context, r *driver.ChangeRequest) error {
	store, err := d.acquireForVersion(ctx, r.Version)
	if err != nil {
		return err
	}
	defer d.release(store)
	return store.Objects.SetRetention(ctx, r)
}

// SetLegalHold sets or ends the legal hold of an object.
func (d *objectDriver) SetLegalHold(ctx context.Context, r *driver.ChangeRequest) error {
	store, err := d.acquireForVersion(ctx, r.Version)
	if err != nil {
		return err
	}
	defer d.release(store)
	return store.Objects.SetLegalHold(ctx, r)
}

// enableObjectLock turns on object lock for the bucket, permanently and for all processes. If it
// cannot write the bucket's settings, every later write of an object tries that first.
func enableObjectLock(d *objectDriver) {
	d.bucket.LocksObjects.Store(true)
	d.bucket.Versions.Store(true)

	ctx := context.Background()
	s, err := d.acquire(ctx)
	if err != nil {
		return
	}
	defer d.release(s)
	// If this fails, each write tries again.
	_, _ = s.Settings.EnsureObjectLock(ctx)
}
