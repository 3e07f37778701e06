package memstore

import (
	"context"
	"slices"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// restorePeriod says in which period an archived object has a restored copy. The zero value
// means that the object has no restored copy.
type restorePeriod struct{ start, end time.Time }

// Restore makes an archived object readable for a number of days, as S3 does. If it is readable
// already, it stays so for that number of days from now.
func (d *objectDriver) Restore(ctx context.Context, r *driver.ChangeRequest) error {
	if r.SoftDeleted {
		b, err := d.open(ctx)
		if err != nil {
			return err
		}
		return b.undelete(r)
	}

	now := d.account.time()
	return d.change(ctx, r, func(o *object, _ *bucket, extra *extraAttrs) error {
		// Until start, an earlier request is still in progress.
		inProgress := now.Before(extra.restored.start)
		if !d.account.archives(o) || inProgress {
			return nil
		}

		readableAt := now
		isReadable := now.Before(extra.restored.end)
		if !isReadable {
			// The restored copy becomes readable only after the time that a restore takes.
			readableAt = now.Add(d.account.restoreTime)
			extra.restored.start = readableAt
		}

		// A later call may extend the time, but not shorten it.
		end := readableAt.AddDate(0, 0, r.RestoreDays)
		if end.After(extra.restored.end) {
			extra.restored.end = end
		}
		return nil
	})
}

// archives reports whether o is archived: its storage class is one of Config.ArchiveClasses.
func (a *account) archives(o *object) bool { return slices.Contains(a.archiveClasses, o.StorageClass) }

// state returns the value of Attrs.Restore at the time now. It is zero before a restore and after its end.
func (r restorePeriod) state(now time.Time) storage.RestoreState {
	if now.Before(r.start) {
		return storage.RestoreState{InProgress: true}
	}
	if now.Before(r.end) {
		return storage.RestoreState{Until: r.end}
	}
	return storage.RestoreState{}
}

// checkReadable fails with Archived if o must be restored first. The caller must hold no lock,
// because checkReadable reads the clock, which may be a function of the user.
func (a *account) checkReadable(o *object) error {
	if !a.archives(o) {
		return nil
	}
	state := o.copyExtra().restored.state(a.time())
	if state.InProgress {
		return &storage.Error{
			Code: storage.Archived,
			Hint: "the object is being restored: try again later, Attrs.Restore tells how far it is",
		}
	}
	if state.Until.IsZero() {
		return &storage.Error{Code: storage.Archived, Hint: "restore the object first, with Restore"}
	}
	return nil
}
