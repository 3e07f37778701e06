package uploads

import (
	"context"
	"crypto/rand"
	"errors"
	"iter"
	"strings"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/equal"
	"github.com/omnibucket/storage/internal/parallel"
	"github.com/omnibucket/storage/internal/storeclock"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
)

// orphanAge is how old objects without a state must be to be removed. A request in
// progress may still write one after its upload was removed.
const orphanAge = time.Hour

// clockName is an object that is written to read the store's time. It stays only if a Sweep is killed.
const clockName = "clock"

// listPage is how many states are listed at once.
const listPage = 1000

// maxFailures ends a Sweep, so that its requests and errors are bounded if the store fails.
const maxFailures = 100

// A SweepReport counts what [Service.Sweep] removed.
type SweepReport struct {
	Uploads int // expired uploads, and leftovers of completed ones
	Expired int // files whose Expires has come
	Bytes   int // objects without a record
	Records int // records without bytes
}

// A SweepOption changes what [Service.Sweep] does.
type SweepOption interface{ applySweep(*sweeper) }

type withoutOrphanLimit struct{}

func (withoutOrphanLimit) applySweep(w *sweeper) { w.noOrphanLimit = true }

// WithoutOrphanLimit makes [Service.Sweep] remove orphans however many there are. Use it after Sweep has
// refused and you have checked bucket and records.
func WithoutOrphanLimit() SweepOption { return withoutOrphanLimit{} }

// Sweep removes what expired uploads left: their state, segments and content, the store's unfinished uploads, and
// files that tickets were for. Run it on a schedule, such as every hour; several processes may run it at once. It
// lists Config.Prefix, and reads the state of each upload there. It continues after failures, joins their errors,
// and ends after 100. It compares ages by the clock of the store; to read that clock, it writes an object. Each
// call begins at another place, so that uploads that cannot be removed do not prevent the removal of others. The
// report counts what was removed, also if there were failures.
//
// With Config.Records, it also removes files whose Expires has come, bytes without a record that are older
// than Config.Grace, and records without bytes. For those it lists all keys
// and IDs. One run removes at most 10,000 orphans of each kind. A service with the wrong bucket or database
// seems to consist of orphans. If more than ten files have no record, or more than ten records have no
// bytes, and these are more than a tenth of all, Sweep removes neither. It then returns the numbers in an error
// that wraps [storage.PreconditionFailed]. [WithoutOrphanLimit] removes them nevertheless. A file that was stored
// by another Config.Key counts as a record without bytes, but is never removed. A database that
// was restored from a backup lacks the latest files: restore those before you sweep. The package documentation
// says what a lifecycle rule must remove.
func (s *Service) Sweep(ctx context.Context, opts ...SweepOption) (*SweepReport, error) {
	w := &sweeper{keeper: s.keeper, report: &SweepReport{}}
	for _, o := range opts {
		if o != nil {
			o.applySweep(w)
		}
	}
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
	if s.config.Records != nil && len(w.errs) < maxFailures { // after the uploads, which leave bytes without a record
		err := w.expired(ctx)
		if err == nil {
			err = w.orphans(ctx)
		}
		w.add(err)
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
	now           time.Time // time of the bucket: the clock of this process may be wrong
	errs          []error
}

// each calls f for sessions, several at once, until there are too many failures.
func (w *sweeper) each(groups iter.Seq2[group, error], f func(group) (removed bool, err error)) {
	var removed atomic.Int32
	var failed error
	listed := func(yield func(group) bool) {
		for g, err := range groups {
			if failed = err; err != nil || !yield(g) {
				return
			}
		}
	}
	_, errs := parallel.Groups(listed, readConcurrency, maxFailures, func(some []group) ([]error, bool) {
		return parallel.All(len(some), readConcurrency, func(i int) error {
			gone, err := f(some[i])
			if gone {
				removed.Add(1)
			}
			return err
		}), true
	})
	w.report.Uploads += int(removed.Load())
	w.errs = append(w.errs, errs...)
	w.add(failed)
}

func (w *sweeper) add(err error) {
	if err != nil {
		w.errs = append(w.errs, err)
	}
}

// A group has the listed entries of one session: its objects or, if states are not among the objects, its
// state.
type group struct {
	name     string
	hasState bool
	newest   time.Time     // time of its newest object
	idle     time.Duration // idle time of a state that is not among the objects
}

// beside reports whether the states are not in the bucket of the objects.
func (w *sweeper) beside() bool {
	states, inBucket := w.keeper.config.States.(bucketStates)
	return !inBucket || !equal.Values(states.bucket, w.keeper.bucket)
}

// sessions lists the sessions in the place of their states, beginning after the name start, and then those
// before it. If that place is the bucket of the objects, it also lists objects without a state.
func (w *sweeper) sessions(ctx context.Context, start string) iter.Seq2[group, error] {
	if w.beside() {
		return around(ctx, w.listed, start)
	}
	return around(ctx, w.groups, start)
}

// around lists the sessions after the name start, and then the sessions up to it.
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

// groups lists the sessions that have objects and whose name comes after start, in the order of names.
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
			ours := object == stateName || begins(contentName) || begins(tailPrefix) || begins(piecePrefix)
			if !alone && !(validName(name) && ours) {
				continue // the object is not of this package
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

// listed lists the sessions that have a state and whose name comes after start, in the order of names.
func (w *sweeper) listed(ctx context.Context, start string) iter.Seq2[group, error] {
	return func(yield func(group, error) bool) {
		for after := w.keeper.config.Prefix + start; strings.HasPrefix(after, w.keeper.config.Prefix); {
			found, next, err := w.keeper.config.States.ListStates(ctx, after, listPage)
			if err != nil {
				yield(group{}, err)
				return
			}
			for _, state := range found {
				key, ours := strings.CutPrefix(state.Key, w.keeper.config.Prefix)
				if !ours {
					return
				}
				name, object, _ := strings.Cut(key, "/")
				if validName(name) && object == stateName &&
					!yield(group{name: name, hasState: true, idle: state.Idle}, nil) {
					return
				}
			}
			after = next
		}
	}
}

func validName(name string) bool {
	return len(name) == len(sessionName("")) && strings.Trim(name, "0123456789abcdef") == ""
}

// expire removes a session if it has expired or was aborted.
func (w *sweeper) expire(ctx context.Context, g group) (bool, error) {
	s, err := w.keeper.read(ctx, g.name)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return false, nil // another Sweep was faster
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
	if s.Phase == phaseOpen || s.Phase == phaseCompleting {
		s.Phase = phaseAborted
		if saved, err := w.save(ctx, s); !saved {
			return false, err
		}
	}
	err = w.keeper.remove(ctx, s)
	return err == nil, err
}

// save returns false without an error if another call has changed the state: the next Sweep looks again.
func (w *sweeper) save(ctx context.Context, s *session) (bool, error) {
	err := w.keeper.save(ctx, s)
	if err == errConflict {
		return false, nil
	}
	return err == nil, err
}

// removeOrphan removes the objects of a session without a state.
func (w *sweeper) removeOrphan(ctx context.Context, g group) (bool, error) {
	age, ticket := w.now.Sub(g.newest), keypattern.IsRandom(g.name)
	if age < orphanAge || ticket && age < w.keeper.config.UploadTTL+finishWithin {
		return false, nil
	}
	// The file of a ticket, or a file that Store wanted to have inspected, has a random name here.
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

// expirePieces removes an upload in pieces that is idle: the pieces first, then the state. It returns
// false if a call continues the upload after all. Once the state is aborted, a call with the token
// starts another upload with other keys, whether or not this removal completes.
func (w *sweeper) expirePieces(ctx context.Context, s *session, g group) (bool, error) {
	newest, idle, beside := g.newest, w.now.Sub(g.newest), w.beside()
	if beside {
		var err error
		if newest, err = w.newest(ctx, s); err != nil {
			return false, err
		}
		idle = min(w.now.Sub(newest), g.idle) // each by the clock of the place that has it
	}
	if idle < w.keeper.config.TTL || w.keeper.claimedAt(s, w.now) { // a call has continued it after it was listed
		return false, nil
	}
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
	return err == nil, err
}

// newest returns the time of the newest object of a session, but not of its state; the zero time if
// there is none.
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

// abortPieces asks whether any call still uses the upload, and otherwise aborts it. A call that finished
// before the question has left a newer piece. A call that finishes later has answered the question.
func (w *sweeper) abortPieces(ctx context.Context, s *session, newest time.Time) (bool, error) {
	s.Pieces.Asked = rand.Text()
	if asked, err := w.save(ctx, s); !asked {
		return false, err
	}
	if found, err := w.newest(ctx, s); err != nil || found.After(newest) {
		return false, err
	}
	s.Pieces.Asked, s.Phase = "", phaseAborted
	return w.save(ctx, s)
}
