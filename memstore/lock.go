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

// applyLockRules gives a new object the default retention of the bucket if the object has no retention
// of its own. It fails if the object has a retention or legal hold and the bucket has no object lock.
// The caller holds the write lock of b.
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

// SetRetention sets or ends the retention of an object. Every caller may extend a retention. Other
// changes before its end need a bypass, which only the mode Governance has.
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

// SetLegalHold begins or ends the legal hold of an object. It fails if the bucket has no object lock.
func (d *objectDriver) SetLegalHold(ctx context.Context, r *driver.ChangeRequest) error {
	return d.change(ctx, r, func(_ *object, b *bucket, extra *extraAttrs) error {
		if !b.info.ObjectLock {
			return lifetime.ErrNoLock
		}
		extra.hold = r.LegalHold
		return nil
	})
}
