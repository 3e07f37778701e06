package memstore

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/lifetime"
)

// checkLock returns an error if the controls have a retention or a legal hold, which the bucket does
// not permit. The caller holds the lock of b.
func (b *bucket) checkLock(controls *storage.Controls) error {
	if !b.info.ObjectLock && lifetime.Locks(controls) {
		return lifetime.ErrNoLock
	}
	return nil
}

// applyLockRules gives a new object the bucket's default retention if it has none of its own. It
// fails if the object has a lock that the bucket does not permit. The caller holds the write lock of
// b.
func (b *bucket) applyLockRules(o *object) error {
	extra := o.copyExtra()
	if !b.info.ObjectLock {
		return b.checkLock(&storage.Controls{Retention: extra.retention, LegalHold: extra.hold})
	}
	if extra.retention == (storage.Retention{}) {
		extra.retention = lifetime.DefaultRetention(b.info.DefaultRetention, o.modified)
		o.setExtra(extra)
	}
	return nil
}

// SetRetention sets or ends the retention. Every caller may extend it.
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
