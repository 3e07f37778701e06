package memstore

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/lifetime"
)

// canLock returns an error if c has a retention or a legal hold and the bucket has no object lock.
// The caller holds the lock of b.
func (b *bucket) canLock(c *storage.Controls) error {
	if !b.info.ObjectLock && lifetime.Locks(c) {
		return lifetime.ErrNoLock
	}
	return nil
}

// lockNew applies the bucket's default retention to a new object that has no retention of its own. If
// the object has a lock and the bucket has no object lock, lockNew fails. The caller holds the write
// lock of b.
func (b *bucket) lockNew(o *object) error {
	extra := o.copyExtra()
	if !b.info.ObjectLock {
		return b.canLock(&storage.Controls{Retention: extra.retention, LegalHold: extra.hold})
	}
	if extra.retention == (storage.Retention{}) {
		extra.retention = lifetime.DefaultRetention(b.info.DefaultRetention, o.modified)
		o.setExtra(extra)
	}
	return nil
}

// SetRetention sets or ends the retention. Every caller may set a later end.
func (d *objectDriver) SetRetention(ctx context.Context, r *driver.ChangeRequest) error {
	now := d.account.time()
	return d.change(ctx, r, func(_ *object, b *bucket, extra *extraAttrs) error {
		if !b.info.ObjectLock {
			return lifetime.ErrNoLock
		}
		if err := lifetime.CheckChange(extra.retention, r, now); err != nil {
			return err
		}
		extra.retention = r.Retention
		return nil
	})
}

// SetLegalHold begins or ends a legal hold.
func (d *objectDriver) SetLegalHold(ctx context.Context, r *driver.ChangeRequest) error {
	return d.change(ctx, r, func(_ *object, b *bucket, extra *extraAttrs) error {
		if !b.info.ObjectLock {
			return lifetime.ErrNoLock
		}
		extra.hold = r.LegalHold
		return nil
	})
}
