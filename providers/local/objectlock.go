package local

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

// enableObjectLock makes the bucket lock objects, for all processes and for good. If the settings
// cannot be written now, each write tries again, and returns the error.
func (d *driver) enableObjectLock() {
	d.locksObjects.Store(true)
	d.versions.Store(true)
	ctx := context.Background()
	s, err := d.acquire(ctx)
	if err != nil {
		return
	}
	defer d.release(s)
	_, _ = s.lockingSettings(ctx)
}

// lockingSettings returns the settings of the bucket. If the bucket was opened WithObjectLock, it
// first writes that to them. The caller holds no lock of a key.
func (s *store) lockingSettings(ctx context.Context) (bucketSettings, error) {
	b, err := s.currentSettings()
	if err != nil || b.ObjectLock || !s.locksObjects.Load() {
		return b, err
	}
	return s.changeSettings(ctx, func(b *bucketSettings) error {
		b.ObjectLock, b.Versioning = true, true
		return nil
	})
}

// checkControls fails with Unsupported if a write has a lock and the bucket cannot lock objects.
func (s *store) checkControls(ctx context.Context, c *storage.Controls) error {
	if !c.LegalHold && c.Retention == (storage.Retention{}) {
		return nil
	}
	b, err := s.lockingSettings(ctx)
	if err == nil && !b.ObjectLock {
		return errNoLock
	}
	return err
}

// lockNew gives an object that is written the bucket's default retention, unless it has one of
// its own.
func (s *store) lockNew(ctx context.Context, a *attrs) error {
	b, err := s.lockingSettings(ctx)
	if err != nil {
		return err
	}
	if d := b.DefaultRetention; b.ObjectLock && d.Days > 0 && a.retention == (storage.Retention{}) {
		until := s.clock.now().UTC().AddDate(0, 0, d.Days).Truncate(time.Second)
		a.retention = storage.Retention{Mode: d.Mode, Until: until}
	}
	return nil
}

// learnObjectLock makes this driver keep versions if another process has meanwhile made the
// bucket lock objects. The caller holds the lock of the key that it changes: no object can
// be locked before the settings say so.
func (s *store) learnObjectLock() error {
	b, err := s.currentSettings()
	if err == nil && b.ObjectLock {
		s.versions.Store(true)
	}
	return err
}

// checkRemovable fails with Locked if the file is under a legal hold or retention. The caller
// holds the lock of its key.
func (s *store) checkRemovable(at objectFile, bypass bool) error {
	f, err := at.dir.open(at.base)
	if err != nil {
		return s.pathLostError(err)
	}
	defer func() { _ = f.close() }()
	a, err := s.attrsOfFile(f)
	switch {
	case a == nil || err != nil:
		return err
	case a.hold:
		return &storage.Error{Code: storage.Locked, Err: errors.New("the object is under a legal hold")}
	case s.clock.now().Before(a.retention.Until) && !(bypass && a.retention.Mode == storage.Governance):
		return &storage.Error{Code: storage.Locked, Err: errors.New("the object is under retention until " + a.retention.Until.Format(time.RFC3339))}
	}
	return nil
}

// SetRetention sets or ends the retention. An end that is later is always allowed.
func (d *driver) SetRetention(ctx context.Context, r *storage.ChangeRequest) error {
	return d.change(ctx, r, func(b bucketSettings, a *attrs) error {
		if !b.ObjectLock {
			return errNoLock
		}
		extends := !r.Retention.Until.Before(a.retention.Until) && r.Retention.Mode == a.retention.Mode
		bypassed := r.BypassGovernance && a.retention.Mode == storage.Governance
		if d.clock.now().Before(a.retention.Until) && !extends && !bypassed {
			return errShortens
		}
		a.retention = r.Retention
		return nil
	})
}

// SetLegalHold begins or ends a legal hold.
func (d *driver) SetLegalHold(ctx context.Context, r *storage.ChangeRequest) error {
	return d.change(ctx, r, func(b bucketSettings, a *attrs) error {
		if !b.ObjectLock {
			return errNoLock
		}
		a.hold = r.LegalHold
		return nil
	})
}
