package local

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/objectlock"
)

// enableObjectLock makes the bucket lock objects, for all processes and for good. If the settings
// cannot be written now, each write of an object tries again, and returns the error.
func (d *objectDriver) enableObjectLock() {
	d.locksObjects.Store(true)
	d.versions.Store(true)
	ctx := context.Background()
	s, err := d.acquire(ctx)
	if err != nil {
		return
	}
	defer d.release(s)
	_, _ = s.settings.lockingSettings(ctx)
}

// lockingSettings returns the settings of the bucket. If the bucket was opened WithObjectLock, it
// first stores that in the settings. The caller holds no lock of a key.
func (s *settings) lockingSettings(ctx context.Context) (bucketSettings, error) {
	b, err := s.current()
	if err != nil || b.ObjectLock || !s.locksObjects.Load() {
		return b, err
	}
	return s.change(ctx, func(b *bucketSettings) error {
		b.ObjectLock, b.Versioning = true, true
		return nil
	})
}

// checkControls fails with Unsupported if a write has a lock and the bucket cannot lock objects.
func (s *settings) checkControls(ctx context.Context, c *storage.Controls) error {
	if !objectlock.Locks(c) {
		return nil
	}
	b, err := s.lockingSettings(ctx)
	if err == nil && !b.ObjectLock {
		return objectlock.ErrNoLock
	}
	return err
}

// lockNew gives an object that is written the bucket's default retention, unless it has one of
// its own.
func (s *settings) lockNew(ctx context.Context, a *attrs) error {
	b, err := s.lockingSettings(ctx)
	if err != nil {
		return err
	}
	if b.ObjectLock && a.retention == (storage.Retention{}) {
		a.retention = objectlock.Default(b.DefaultRetention, s.tree.clock.now())
	}
	return nil
}

// learnVersioning makes this driver keep versions, and objects that are removed for good, if another process has
// meanwhile made the bucket keep them or lock objects. The caller holds the lock of the key that it changes: no
// object can be locked before the settings say so.
func (s *settings) learnVersioning() error {
	b, err := s.current()
	if err == nil {
		s.learn(&b)
	}
	return err
}

func (s *settings) learn(b *bucketSettings) {
	if b.Versioning || b.ObjectLock {
		s.tree.versions.Store(true)
	}
	if b.SoftDelete != nil {
		s.tree.keeping.Store(int64(*b.SoftDelete))
	}
}

// checkRemovable fails with Locked if the file is under a legal hold or retention. The caller
// holds the lock of its key.
func (r *reader) checkRemovable(at objectFile, bypass bool) error {
	a, _, err := r.attrsAt(at)
	if a == nil || err != nil {
		return err
	}
	return objectlock.CheckRemoval(a.retention, a.hold, bypass, r.tree.clock.now())
}

// SetRetention sets or ends the retention. An end that is later is always allowed.
func (d *objectDriver) SetRetention(ctx context.Context, r *driver.ChangeRequest) error {
	return d.change(ctx, r, func(b bucketSettings, a *attrs) error {
		if !b.ObjectLock {
			return objectlock.ErrNoLock
		}
		if err := objectlock.CheckChange(a.retention, r, d.clock.now()); err != nil {
			return err
		}
		a.retention = r.Retention
		return nil
	})
}

// SetLegalHold begins or ends a legal hold.
func (d *objectDriver) SetLegalHold(ctx context.Context, r *driver.ChangeRequest) error {
	return d.change(ctx, r, func(b bucketSettings, a *attrs) error {
		if !b.ObjectLock {
			return objectlock.ErrNoLock
		}
		a.hold = r.LegalHold
		return nil
	})
}
