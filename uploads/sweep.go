package uploads

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/inquiry"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
	"github.com/omnibucket/storage/uploads/internal/session"
)

// A SweepOption changes what [Service.Sweep] does.
type SweepOption interface{ applySweep(*sweeper) }

type withoutOrphanLimit struct{}

func (withoutOrphanLimit) applySweep(w *sweeper) { w.noOrphanLimit = true }

// WithoutOrphanLimit makes [Service.Sweep] remove any number of orphans. Use it after Sweep has
// failed because of too many orphans, and only after you have checked that the bucket and the
// records belong together.
func WithoutOrphanLimit() SweepOption { return withoutOrphanLimit{} }

// Sweep removes the leftovers of expired uploads: their state and objects, unfinished multipart
// uploads in the store, and files that were sent with a ticket but never finished. Run it on a
// schedule, such as every hour. Several processes may run it at the same time.
//
// Sweep lists Config.Prefix, and reads the state of each upload there. It compares ages by the
// clock of the store, which it reads by writing an object. Each call begins at a random place, so
// that uploads that cannot be removed do not block others. Sweep continues after a failure, ends
// after 100 failures, and returns all errors joined. The report says what was removed, even if
// Sweep fails.
//
// With Config.Records, Sweep also removes expired files and orphans. There are two kinds of
// orphans: bytes that have no record and are older than Config.Grace, and records that have no
// bytes. To find orphans, Sweep lists all keys and all IDs. It removes at most 10,000 orphans of
// each kind.
//
// With the wrong bucket or the wrong database, all files would be orphans. So Sweep removes no
// orphans if there are too many of one kind. There are too many if more than ten files, and more
// than a tenth of all files, have no record. The same limit applies to records without bytes. If
// the limit is exceeded, Sweep returns the numbers in an error that wraps
// [storage.PreconditionFailed]. [WithoutOrphanLimit] makes Sweep remove all orphans nevertheless.
//
// A record of a file that was stored with another Config.Key counts as an orphan, but is never
// removed. If you restore the database from a backup, the database lacks the latest files. Restore
// their records before you run Sweep. The package documentation says what a lifecycle rule must
// remove in addition.
func (s *Service) Sweep(ctx context.Context, opts ...SweepOption) (*SweepReport, error) {
	w := &sweeper{
		setup:   s.setup,
		counter: s.counter,
		files:   s.files,
		keeper:  s.keeper,
		report:  &SweepReport{},
	}
	for _, o := range opts {
		if o != nil {
			o.applySweep(w)
		}
	}

	// Without failover, no answer comes from a copy of the bucket that may be outdated.
	ctx = evidence.WithoutFailover(ctx)

	// Read the clock of the store.
	clock := s.setup.config.Prefix + clockName
	now, err := inquiry.Now(ctx, s.setup.bucket, clock)
	if err != nil {
		return w.report, &Error{Code: StoreFailed, Message: "The store does not tell the time.", Err: err}
	}
	w.now = now
	w.add(s.setup.bucket.Remove(ctx, clock))

	w.removeUploads(ctx)

	// Removing an upload may leave bytes without a record, which are orphans. So remove orphans
	// only after the uploads.
	if s.setup.config.Records != nil && len(w.errs) < maxFailures {
		w.add(w.removeExpiredAndOrphans(ctx))
	}

	// Count last, so that only the files that stay are counted.
	if s.counter != nil && len(w.errs) == 0 {
		w.add(w.recountLedgers(ctx))
	}

	if err := errors.Join(w.errs...); err != nil {
		return w.report, &Error{Code: StoreFailed, Message: "Not everything could be removed.", Err: err}
	}
	return w.report, nil
}

// removeUploads removes the sessions of expired uploads, and objects that belong to no session. It begins at a
// random name.
func (w *sweeper) removeUploads(ctx context.Context) {
	start := session.DirName(rand.Text())
	w.removeEach(ctx, w.sessions(ctx, start), w.removeExpiredSession)
	if w.hasSeparateStates() && len(w.errs) < maxFailures {
		// The list of the states does not show the objects, so list these, too.
		w.removeEach(ctx, listAround(ctx, w.groupsAfter, start), w.removeOrphan)
	}
}

// removeExpiredAndOrphans removes the expired files and then, unless this has failed, the orphans.
func (w *sweeper) removeExpiredAndOrphans(ctx context.Context) error {
	if err := w.removeExpired(ctx); err != nil {
		return err
	}
	return w.removeOrphans(ctx)
}

// removeExpiredSession removes a session that has expired or was aborted, or objects that have lost their
// session, and reports whether it has removed anything.
func (w *sweeper) removeExpiredSession(ctx context.Context, g group) (bool, error) {
	if !g.hasState {
		return w.removeOrphan(ctx, g)
	}
	s, err := w.keeper.Read(ctx, g.name)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		// Another Sweep has removed the session.
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if s.Pieces != nil {
		return w.expirePieces(ctx, s, g)
	}
	return w.expire(ctx, s)
}

// expire removes a session that has expired or was aborted, and reports whether it has done so.
func (w *sweeper) expire(ctx context.Context, s *session.Session) (bool, error) {
	isExpired := !w.now.Before(s.Expires)
	if !isExpired && s.Phase != session.PhaseAborted {
		return false, nil
	}

	// A call is still making the file.
	if w.keeper.IsClaimedAt(s, w.now) {
		return false, nil
	}

	// Mark the session as aborted, so that no call continues it.
	isUncounted := !canBeCounted(s) // before the phase changes
	if s.Phase == session.PhaseOpen || s.Phase == session.PhaseCompleting {
		s.Phase = session.PhaseAborted
		isSaved, err := w.save(ctx, s)
		if !isSaved {
			// Without an error, another call has changed the session, and the next Sweep looks at it again.
			return false, err
		}
	}

	// Remove its objects and its state.
	if err := w.keeper.Remove(ctx, s); err != nil {
		return false, err
	}
	if isUncounted {
		w.keeper.releaseRoom(ctx, s)
	}
	return true, nil
}

// canBeCounted reports whether a call may have made and counted the file of a session. It is then not known
// whether the session still has its reservation, so only a recount may drop that.
func canBeCounted(s *session.Session) bool {
	if s.Phase != session.PhaseOpen || s.Kind == session.KindSingle {
		return true
	}
	return s.Tus != nil && s.Tus.Whole
}

// save reports whether it has saved a session. It returns false, without an error, if another call
// has changed the session; the next Sweep looks at it again.
func (w *sweeper) save(ctx context.Context, s *session.Session) (bool, error) {
	err := w.keeper.Save(ctx, s)
	if err == session.ErrConflict {
		return false, nil
	}
	return err == nil, err
}

// removeOrphan removes objects that belong to no session, once no call can need them any more. It reports
// whether it has removed any.
func (w *sweeper) removeOrphan(ctx context.Context, g group) (bool, error) {
	age := w.now.Sub(g.newest)
	if age < orphanAge {
		return false, nil
	}

	// An object with a random name directly under Config.Prefix was sent with a ticket, or was
	// stored by Service.Store while Config.Inspect checked it. The ticket may still be finished.
	isSent := keypattern.IsRandom(g.name)
	if isSent && age < w.setup.config.UploadTTL+finishWithin {
		return false, nil
	}
	if isSent || g.name == clockName {
		// The group is this single object.
		err := w.keeper.Bucket.Remove(ctx, w.setup.config.Prefix+g.name)
		return err == nil, err
	}

	// The state may be stored elsewhere than the objects, so look for it.
	_, err := w.keeper.Read(ctx, g.name)
	if err == nil {
		// The objects belong to a session.
		return false, nil
	}
	if storage.CodeOf(err) != storage.ObjectNotFound {
		return false, err
	}

	prefix := storage.WithPrefix(w.setup.config.Prefix + g.name + "/")
	_, err = storage.RemoveMatching(ctx, w.keeper.Bucket, nil, prefix)
	return err == nil, err
}

// expirePieces removes the pieces and the state of an idle upload. It returns false if the upload is not idle,
// or if a call continues it meanwhile.
//
// It first marks the state as aborted, so that a later call with the same token begins a new upload with
// other keys even if this process is killed halfway.
func (w *sweeper) expirePieces(ctx context.Context, s *session.Session, g group) (bool, error) {
	newest, idle, err := w.idleTime(ctx, s, g)
	if err != nil {
		return false, err
	}
	if idle < w.setup.config.TTL || w.keeper.IsClaimedAt(s, w.now) {
		// A call has continued the upload.
		return false, nil
	}

	// No call has begun to make the file of an open upload, so no call can have counted it.
	isUncounted := s.Phase == session.PhaseOpen
	if s.Phase != session.PhaseAborted && s.Phase != session.PhaseDone {
		aborted, err := w.abortPieces(ctx, s, newest)
		if !aborted || err != nil {
			return false, err
		}
	}

	// Remove the state last, so that a failed call can be repeated.
	if err := w.removePieces(ctx, s, newest); err != nil {
		return false, err
	}
	state := w.keeper.Key(s, session.StateName)
	if err := w.setup.config.States.RemoveState(ctx, state, s.Revision); err != nil {
		return false, err
	}
	if isUncounted {
		w.keeper.releaseRoom(ctx, s)
	}
	return true, nil
}

// idleTime returns the time of the newest object of an upload in pieces, and how long the upload has been idle.
func (w *sweeper) idleTime(
	ctx context.Context, s *session.Session, g group,
) (newest time.Time, idle time.Duration, err error) {
	if !w.hasSeparateStates() {
		// The group also has the object of the state.
		return g.newest, w.now.Sub(g.newest), nil
	}

	// The bucket and Config.States have different clocks, so compare only durations. Both w.now and newest
	// are times of the bucket. The duration g.idle is by the clock of Config.States.
	newest, err = w.newest(ctx, s)
	return newest, min(w.now.Sub(newest), g.idle), err
}

// removePieces removes the pieces of an aborted upload, but not its state. It keeps objects that are newer than
// the given time, because they belong to a new upload with the same token.
func (w *sweeper) removePieces(ctx context.Context, s *session.Session, newest time.Time) error {
	stateKey := w.keeper.Key(s, session.StateName)
	isStateInBucket := !w.hasSeparateStates()
	isLeftover := func(entry storage.ListEntry) bool {
		isState := isStateInBucket && entry.Key == stateKey
		return !isState && !entry.Modified.After(newest)
	}
	prefix := storage.WithPrefix(w.setup.config.Prefix + s.Dir + "/")
	_, err := storage.RemoveMatching(ctx, w.keeper.Bucket, isLeftover, prefix)
	return err
}

// newest returns the time of the newest object of a session, apart from its state, or the zero time
// if there is none.
func (w *sweeper) newest(ctx context.Context, s *session.Session) (time.Time, error) {
	var newest time.Time
	state := w.keeper.Key(s, session.StateName)
	for entry, err := range w.keeper.Bucket.List(ctx, storage.WithPrefix(w.setup.config.Prefix+s.Dir+"/")) {
		if err != nil {
			return time.Time{}, err
		}
		if entry.Key != state && entry.Modified.After(newest) {
			newest = entry.Modified
		}
	}
	return newest, nil
}

// abortPieces aborts an upload, and reports whether it has done so. It returns false if a call still
// uses the upload, which it notices in one of two ways after it has set Asked in the state:
//
//   - A call that continues the upload from now on clears Asked. The state can then no longer be saved.
//   - A call that ended before has stored a piece that is newer than the given time.
func (w *sweeper) abortPieces(ctx context.Context, s *session.Session, newest time.Time) (bool, error) {
	// Ask the calls that use the upload to clear Asked.
	s.Pieces.Asked = rand.Text()
	isSaved, err := w.save(ctx, s)
	if !isSaved || err != nil {
		return false, err
	}

	// Look for a newer piece.
	newestNow, err := w.newest(ctx, s)
	if err != nil {
		return false, err
	}
	if newestNow.After(newest) {
		return false, nil
	}

	// If a call has cleared Asked, the state has changed, and save returns false.
	s.Pieces.Asked = ""
	s.Phase = session.PhaseAborted
	return w.save(ctx, s)
}
