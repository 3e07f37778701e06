package uploads

import (
	"context"
	"crypto/rand"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/equal"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/parallel"
	"github.com/omnibucket/storage/internal/storeclock"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
)

// orphanAge is the age at which objects without a state are removed. They are not removed earlier,
// because a request that is still in progress may write such an object after its upload was
// removed.
const orphanAge = time.Hour

// clockName is the name of an object that Sweep writes and removes, to read the store's time. If
// Sweep is killed, the object stays.
const clockName = "clock"

// listPage is how many states, records or IDs are listed in one call.
const listPage = 1000

// maxFailures is the number of failures after which a Sweep ends, which bounds its requests and its
// errors.
const maxFailures = 100

// A SweepReport counts what [Service.Sweep] removed.
type SweepReport struct {
	Uploads int // expired uploads, and leftovers of completed ones
	Expired int // files that have expired
	Bytes   int // objects of files that had no record
	Records int // records without an object
	// Recounted is the number of users whose files were counted again, because an upload or a
	// removal did not end properly.
	Recounted int
}

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
	w := &sweeper{keeper: s.keeper, report: &SweepReport{}}
	for _, o := range opts {
		if o != nil {
			o.applySweep(w)
		}
	}
	ctx = evidence.WithoutFailover(ctx) // what is removed must not depend on a store that may lag
	clock := s.config.Prefix + clockName
	now, err := storeclock.Now(ctx, s.bucket, clock)
	if err != nil {
		return w.report, &Error{Code: StoreFailed, Message: "The store does not tell the time.", Err: err}
	}
	w.now = now
	w.add(s.bucket.Remove(ctx, clock))
	start := sessionName(rand.Text())
	w.each(w.sessions(ctx, start), func(g group) (bool, error) {
		if g.hasState {
			return w.expire(ctx, g)
		}
		return w.removeOrphan(ctx, g)
	})
	if w.beside() && len(w.errs) < maxFailures {
		w.each(around(ctx, w.groups, start), func(g group) (bool, error) { return w.removeOrphan(ctx, g) })
	}
	// Removing an upload may leave bytes without a record, which are orphans. So remove orphans
	// only after the uploads.
	if s.config.Records != nil && len(w.errs) < maxFailures {
		err := w.expired(ctx)
		if err == nil {
			err = w.orphans(ctx)
		}
		w.add(err)
	}
	if s.counter != nil && len(w.errs) == 0 { // last, so that only the files that stay are counted
		w.add(w.ledgers(ctx))
	}
	if err := errors.Join(w.errs...); err != nil {
		return w.report, &Error{Code: StoreFailed, Message: "Not everything could be removed.", Err: err}
	}
	return w.report, nil
}

type sweeper struct {
	keeper        *keeper
	noOrphanLimit bool
	report        *SweepReport
	now           time.Time // time by the clock of the bucket, because the clock of this process may be wrong
	errs          []error
}

// each calls f for many sessions concurrently. After maxFailures failures, it stops.
func (w *sweeper) each(groups iter.Seq2[group, error], f func(group) (removed bool, err error)) {
	var removed atomic.Int32
	var failure error
	listed := func(yield func(group) bool) {
		for g, err := range groups {
			failure = err
			if err != nil || !yield(g) {
				return
			}
		}
	}
	_, errs := parallel.Groups(listed, readConcurrency, maxFailures, func(some []group) ([]error, bool) {
		return parallel.All(len(some), readConcurrency, func(i int) error {
			ok, err := f(some[i])
			if ok {
				removed.Add(1)
			}
			return err
		}), true
	})
	w.report.Uploads += int(removed.Load())
	w.errs = append(w.errs, errs...)
	w.add(failure)
}

func (w *sweeper) add(err error) {
	if err != nil {
		w.errs = append(w.errs, err)
	}
}

// A group is one session in a listing. Config.States may keep the state of the session in the
// bucket of the objects. In that case, the group stands for the state and all objects of the
// session. Otherwise it stands only for the state.
type group struct {
	name     string
	hasState bool
	newest   time.Time // time of its newest object
	// idle is how long the state has not changed. It is only set if the state is not in the bucket
	// of the objects.
	idle time.Duration
}

// beside reports whether the states are stored elsewhere than the objects.
func (w *sweeper) beside() bool {
	states, inBucket := w.keeper.config.States.(bucketStates)
	return !inBucket || !equal.Values(states.bucket, w.keeper.bucket)
}

// sessions lists all sessions that have a state, sorted by name. The list begins after the name in
// start. At the end of all names, it continues with the first name, up to start. If
// the states are in the bucket of the objects, the list also has sessions that have only objects.
func (w *sweeper) sessions(ctx context.Context, start string) iter.Seq2[group, error] {
	if w.beside() {
		return around(ctx, w.listed, start)
	}
	return around(ctx, w.groups, start)
}

// around lists the sessions whose name comes after start, and then all others.
func around(
	ctx context.Context, list func(context.Context, string) iter.Seq2[group, error], start string,
) iter.Seq2[group, error] {
	return func(yield func(group, error) bool) {
		for g, err := range list(ctx, start) {
			if !yield(g, err) || err != nil {
				return
			}
		}
		if start == "" {
			return
		}
		for g, err := range list(ctx, "") {
			if g.name >= start || !yield(g, err) {
				return
			}
		}
	}
}

// groups lists the sessions that have objects and whose name comes after start, sorted by name.
func (w *sweeper) groups(ctx context.Context, start string) iter.Seq2[group, error] {
	return func(yield func(group, error) bool) {
		g := group{}
		begin := func(next group) bool {
			last := g
			g = next
			return last.name == "" || yield(last, nil)
		}
		opts := []storage.ListOption{storage.WithPrefix(w.keeper.config.Prefix)}
		if start != "" {
			opts = append(opts, storage.WithStartAfter(w.keeper.config.Prefix+start))
		}
		for entry, err := range w.keeper.bucket.List(ctx, opts...) {
			if err != nil {
				yield(group{}, err)
				return
			}
			name, object, below := strings.Cut(strings.TrimPrefix(entry.Key, w.keeper.config.Prefix), "/")
			alone := !below && (keypattern.IsRandom(name) || name == clockName)
			begins := func(prefix string) bool { return strings.HasPrefix(object, prefix) }
			isOurs := object == stateName || begins(contentName) || begins(tailPrefix) || begins(piecePrefix)
			if !alone && !(validName(name) && isOurs) {
				continue // this package did not write the object
			}
			if name != g.name && !begin(group{name: name}) {
				return
			}
			g.hasState = g.hasState || object == stateName
			if entry.Modified.After(g.newest) {
				g.newest = entry.Modified
			}
		}
		begin(group{})
	}
}

// listed lists the sessions that have a state and whose name comes after start, sorted by name.
func (w *sweeper) listed(ctx context.Context, start string) iter.Seq2[group, error] {
	return func(yield func(group, error) bool) {
		for state, err := range w.states(ctx, w.keeper.config.Prefix, start) {
			name, object, _ := strings.Cut(strings.TrimPrefix(state.Key, w.keeper.config.Prefix), "/")
			isOurs := validName(name) && object == stateName
			if (err != nil || isOurs) && !yield(group{name: name, hasState: true, idle: state.Idle}, err) {
				return
			}
		}
	}
}

// states lists the states with keys that begin with the given prefix, sorted by key. It lists only
// keys that are greater than prefix+start.
func (w *sweeper) states(ctx context.Context, prefix, start string) iter.Seq2[ListedState, error] {
	return paged(prefix+start, func(startAfter string) ([]ListedState, string, error) {
		states, next, err := w.keeper.config.States.ListStates(ctx, startAfter, listPage)
		beyond := slices.IndexFunc(states, func(s ListedState) bool { return !strings.HasPrefix(s.Key, prefix) })
		if beyond >= 0 {
			return states[:beyond], "", err
		}
		if !strings.HasPrefix(next, prefix) {
			next = ""
		}
		return states, next, err
	})
}

func validName(name string) bool {
	return len(name) == len(sessionName("")) && strings.Trim(name, "0123456789abcdef") == ""
}

// expire removes a session if it has expired or was aborted.
func (w *sweeper) expire(ctx context.Context, g group) (bool, error) {
	s, err := w.keeper.read(ctx, g.name)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return false, nil // another Sweep has removed the session
	}
	if err != nil {
		return false, err
	}
	if s.Pieces != nil {
		return w.expirePieces(ctx, s, g)
	}
	if w.now.Before(s.Expires) && s.Phase != phaseAborted || w.keeper.claimedAt(s, w.now) {
		return false, nil
	}
	empty := s.Phase == phaseOpen && s.Kind != kindSingle && (s.Tus == nil || !s.Tus.Whole)
	if s.Phase == phaseOpen || s.Phase == phaseCompleting {
		s.Phase = phaseAborted
		if saved, err := w.save(ctx, s); !saved {
			return false, err
		}
	}
	if err = w.keeper.remove(ctx, s); err == nil && empty {
		w.keeper.giveBack(ctx, s)
	}
	return err == nil, err
}

// save saves a session, and reports whether it was saved. If another call has changed the session,
// save returns false without an error, and the next Sweep looks at it again.
func (w *sweeper) save(ctx context.Context, s *session) (bool, error) {
	err := w.keeper.save(ctx, s)
	if err == errConflict {
		return false, nil
	}
	return err == nil, err
}

// removeOrphan removes the objects of a session that has no state.
func (w *sweeper) removeOrphan(ctx context.Context, g group) (bool, error) {
	age := w.now.Sub(g.newest)
	ticket := keypattern.IsRandom(g.name)
	if age < orphanAge || ticket && age < w.keeper.config.UploadTTL+finishWithin {
		return false, nil
	}
	// An object with a random name directly under Config.Prefix was sent with a ticket, or was
	// stored by Service.Store while Config.Inspect checked it.
	if ticket || g.name == clockName {
		err := w.keeper.bucket.Remove(ctx, w.keeper.config.Prefix+g.name)
		return err == nil, err
	}
	if _, err := w.keeper.read(ctx, g.name); storage.CodeOf(err) != storage.ObjectNotFound {
		return false, err
	}
	_, err := storage.RemoveMatching(ctx, w.keeper.bucket, nil, storage.WithPrefix(w.keeper.config.Prefix+g.name+"/"))
	return err == nil, err
}

// expirePieces removes the pieces and the state of an idle upload that consists of pieces. If a
// call continues the upload meanwhile, expirePieces returns false.
//
// expirePieces first marks the state as aborted. After that, a call with the same token begins a
// new upload with other keys. So it does no harm if the process is killed before all pieces are
// removed.
func (w *sweeper) expirePieces(ctx context.Context, s *session, g group) (bool, error) {
	newest := g.newest
	idle := w.now.Sub(g.newest)
	beside := w.beside()
	if beside {
		var err error
		if newest, err = w.newest(ctx, s); err != nil {
			return false, err
		}
		// The bucket and Config.States have different clocks, so compare only durations. Both w.now
		// and newest are times of the bucket. The duration g.idle is by the clock of Config.States.
		idle = min(w.now.Sub(newest), g.idle)
	}
	if idle < w.keeper.config.TTL || w.keeper.claimedAt(s, w.now) { // a call has continued the upload
		return false, nil
	}
	empty := s.Phase == phaseOpen
	if s.Phase != phaseAborted && s.Phase != phaseDone {
		if aborted, err := w.abortPieces(ctx, s, newest); !aborted || err != nil {
			return false, err
		}
	}
	state := w.keeper.objectKey(s, stateName)
	old := func(e storage.ListEntry) bool { return (e.Key != state || beside) && !e.Modified.After(newest) }
	if _, err := storage.RemoveMatching(ctx, w.keeper.bucket, old, storage.WithPrefix(w.keeper.config.Prefix+s.name+"/")); err != nil {
		return false, err
	}
	err := w.keeper.config.States.RemoveState(ctx, state, s.revision)
	if err == nil && empty {
		w.keeper.giveBack(ctx, s)
	}
	return err == nil, err
}

// newest returns the time of the newest object of a session. The object with the state of the
// session does not count. If there is no other object, newest returns the zero time.
func (w *sweeper) newest(ctx context.Context, s *session) (newest time.Time, err error) {
	for entry, err := range w.keeper.bucket.List(ctx, storage.WithPrefix(w.keeper.config.Prefix+s.name+"/")) {
		if err != nil {
			return newest, err
		}
		if entry.Key != w.keeper.objectKey(s, stateName) && entry.Modified.After(newest) {
			newest = entry.Modified
		}
	}
	return newest, nil
}

// abortPieces aborts an upload. If a call still uses the upload, abortPieces returns false.
//
// abortPieces first sets Asked in the state. It then notices a call in one of two ways:
//
//   - The call continues the upload after Asked was set. The call clears Asked, which changes the
//     state. So abortPieces can no longer save the state.
//   - The call ended before Asked was set. The call has stored a piece, and this piece is newer
//     than the given time.
func (w *sweeper) abortPieces(ctx context.Context, s *session, newest time.Time) (bool, error) {
	s.Pieces.Asked = rand.Text()
	if ok, err := w.save(ctx, s); !ok {
		return false, err
	}
	if latest, err := w.newest(ctx, s); err != nil || latest.After(newest) {
		return false, err
	}
	s.Pieces.Asked = ""
	s.Phase = phaseAborted
	return w.save(ctx, s)
}
