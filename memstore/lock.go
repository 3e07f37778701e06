package memstore

import (
	"context"
	"errors"
	"time"

	"github.com/omnibucket/storage"
)

var errNoLock = &storage.Error{
	Code: storage.Unsupported,
	Err:  errors.New("the bucket cannot lock objects"),
	Hint: "make the bucket with WithObjectLock",
}

var errShortens = &storage.Error{
	Code: storage.Locked,
	Err:  errors.New("a retention can only be extended"),
	Hint: "in the mode Governance, give WithGovernanceBypass",
}

// canLock refuses locks in a bucket without object lock. The caller holds the lock of b.
func (b *bucket) canLock(c *storage.Controls) error {
	if !b.info.ObjectLock && (c.LegalHold || c.Retention != (storage.Retention{})) {
		return errNoLock
	}
	return nil
}

// lockNew gives an object that is written the bucket's default retention, unless it has one of
// its own. The caller holds the write lock of b.
func (b *bucket) lockNew(o *object) error {
	k := o.keeps()
	if !b.info.ObjectLock {
		return b.canLock(&storage.Controls{Retention: k.retention, LegalHold: k.hold})
	}
	if d := b.info.DefaultRetention; d.Days > 0 && k.retention == (storage.Retention{}) {
		until := o.modified.AddDate(0, 0, d.Days).Truncate(time.Second)
		k.retention = storage.Retention{Mode: d.Mode, Until: until}
		o.keep(k)
	}
	return nil
}

// checkRemovable fails with Locked if the object is under a legal hold or retention.
func (o *object) checkRemovable(bypass bool, now time.Time) error {
	k := o.keeps()
	switch {
	case k.hold:
		return &storage.Error{Code: storage.Locked, Err: errors.New("the object is under a legal hold")}
	case now.Before(k.retention.Until) && !(bypass && k.retention.Mode == storage.Governance):
		return &storage.Error{Code: storage.Locked, Err: errors.New("the object is under retention until " + k.retention.Until.Format(time.RFC3339))}
	}
	return nil
}

// SetRetention sets or ends the retention. An end that is later is always allowed.
func (d *driver) SetRetention(ctx context.Context, r *storage.ChangeRequest) error {
	now := d.account.time()
	return d.change(ctx, r, func(_ *object, b *bucket, k *kept) error {
		if !b.info.ObjectLock {
			return errNoLock
		}
		extends := !r.Retention.Until.Before(k.retention.Until) && r.Retention.Mode == k.retention.Mode
		bypassed := r.BypassGovernance && k.retention.Mode == storage.Governance
		if now.Before(k.retention.Until) && !extends && !bypassed {
			return errShortens
		}
		k.retention = r.Retention
		return nil
	})
}

// SetLegalHold begins or ends a legal hold.
func (d *driver) SetLegalHold(ctx context.Context, r *storage.ChangeRequest) error {
	return d.change(ctx, r, func(_ *object, b *bucket, k *kept) error {
		if !b.info.ObjectLock {
			return errNoLock
		}
		k.hold = r.LegalHold
		return nil
	})
}
