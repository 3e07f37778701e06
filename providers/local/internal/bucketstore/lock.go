package bucketstore

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/lifetime"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
)

// EnsureObjectLock turns object lock on if the bucket was opened WithObjectLock and does not have it yet. It
// returns the settings of the bucket. The caller must not hold the lock of a key.
func (s *Settings) EnsureObjectLock(ctx context.Context) (BucketSettings, error) {
	b, err := s.currentSettings()
	if err != nil || b.ObjectLock || !s.locksObjects.Load() {
		return b, err
	}
	return s.Change(ctx, func(b *BucketSettings) error {
		b.ObjectLock = true
		b.Versioning = true
		return nil
	})
}

// CheckControls fails with Unsupported if c, the controls of a write, set a retention or a legal hold and
// the bucket has no object lock.
func (s *Settings) CheckControls(ctx context.Context, c *storage.Controls) error {
	if !lifetime.Locks(c) {
		return nil
	}
	b, err := s.EnsureObjectLock(ctx)
	if err != nil {
		return err
	}
	if !b.ObjectLock {
		return lifetime.ErrNoLock
	}
	return nil
}

// setDefaultRetention gives an object that is being written the bucket's default retention, unless the
// write sets a retention itself.
func (s *Settings) setDefaultRetention(ctx context.Context, attrs *objectfile.Attrs) error {
	b, err := s.EnsureObjectLock(ctx)
	if err != nil {
		return err
	}
	if b.ObjectLock && attrs.Retention == (storage.Retention{}) {
		attrs.Retention = lifetime.DefaultRetention(b.DefaultRetention, s.tree.Clock.Now())
	}
	return nil
}

// loadVersioning makes this driver keep versions and soft-deleted objects if another process has
// turned on versioning, soft delete or object lock.
//
// The caller must hold the lock of the key that it is about to change. So if the object is locked, or
// becomes so before the change, the settings already say that object lock is on.
func (s *Settings) loadVersioning() error {
	b, err := s.currentSettings()
	if err != nil {
		return err
	}
	s.ApplyVersioning(&b)
	return nil
}

// ApplyVersioning makes the store keep versions and soft-deleted objects as the settings b say. It never turns
// versioning off.
func (s *Settings) ApplyVersioning(b *BucketSettings) {
	if b.Versioning || b.ObjectLock {
		s.tree.Versions.Store(true)
	}
	if b.SoftDelete != nil {
		s.tree.SoftDeleteRetention.Store(int64(*b.SoftDelete))
	}
}

// SetRetention changes or ends the retention of an object. It may always make a retention longer.
func (o *Objects) SetRetention(ctx context.Context, r *driver.ChangeRequest) error {
	return o.changeAttrs(ctx, r, func(b BucketSettings, attrs *objectfile.Attrs) error {
		if !b.ObjectLock {
			return lifetime.ErrNoLock
		}
		if err := lifetime.CheckChange(attrs.Retention, r, o.tree.Clock.Now()); err != nil {
			return err
		}
		attrs.Retention = r.Retention
		return nil
	})
}

// SetLegalHold sets or ends the legal hold of an object.
func (o *Objects) SetLegalHold(ctx context.Context, r *driver.ChangeRequest) error {
	return o.changeAttrs(ctx, r, func(b BucketSettings, attrs *objectfile.Attrs) error {
		if !b.ObjectLock {
			return lifetime.ErrNoLock
		}
		attrs.LegalHold = r.LegalHold
		return nil
	})
}
