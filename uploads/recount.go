package uploads

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/uploads/internal/ledger"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
)

// Recount counts again what the user with this ID has stored, and returns the result. Call it once
// for each user if files were stored before Config.Allowance was set. Call it also after objects
// were removed by other means than this package. Sweep calls it for users with an upload that did
// not end properly.
//
// With Config.Records, Recount lists the user's records ([BucketRecords] must read the records of
// all users for that). Without them, it lists the keys that Config.Key makes for the user. If
// uploads of the user begin or end meanwhile, it starts again. After ten attempts, it fails with
// StoreFailed, which wraps Unavailable. If Config.Allowance is nil, it fails with NotAllowed.
func (s *Service) Recount(ctx context.Context, user string) (Usage, error) {
	if s.counter == nil {
		return Usage{}, publicError(noAllowances())
	}
	u, err := s.counter.recount(evidence.WithoutFailover(ctx), user, s.setup.config.Now())
	if err != nil {
		return Usage{}, publicError(refusal.StoreFailed(err))
	}
	return u, nil
}

// maxRecounts limits how often one call counts the files of a user again because the ledger changed
// meanwhile.
const maxRecounts = 10

// errRestless is the error if the ledger of a user changed during each attempt to count.
var errRestless = &storage.Error{
	Code: storage.Unavailable,
	Op:   "Recount",
	Err:  errors.New("uploads of the user begin or end all the time"),
	Hint: "count when the user is idle",
}

// recount counts the files of a user again, and drops the entries of the ledger that are dead at the
// given time.
func (c *counter) recount(ctx context.Context, user string, now time.Time) (Usage, error) {
	var usage Usage
	r := &recountOp{counter: c, user: user, now: now}
	// Recount may call the function several times. The last result counts.
	err := c.book.Recount(ctx, user, func(t *ledger.Text) error {
		err := r.recountLedger(ctx, t)
		usage = usageOf(t)
		return err
	})
	return usage, err
}

// A recountOp counts the files of one user again. It recognizes the file of an entry in the ledger by its
// stem, which is the key without the extension.
type recountOp struct {
	counter  *counter
	user     string
	now      time.Time
	attempts int // number of counts until now

	// These fields belong to one attempt.

	ledger  *ledger.Text
	pending map[string]bool // possible stems of the files whose uploads have not ended
	dead    map[string]bool // possible stems of the files whose entries were dropped
	// hasUnknownDead is true if an entry was dropped whose file nobody can recognize any more, although a
	// removal of the file has begun.
	hasUnknownDead bool
	// mayBecomeWrong is true if a call that is still in progress may make the count wrong when it ends.
	mayBecomeWrong bool
}

// recountLedger drops the dead entries of a ledger and counts the files of the user again. All calls together
// count at most maxRecounts times. After that, recountLedger fails with errRestless.
func (r *recountOp) recountLedger(ctx context.Context, t *ledger.Text) error {
	r.ledger = t
	r.dead = map[string]bool{}
	r.hasUnknownDead = false
	if err := r.dropDeadEntries(ctx); err != nil {
		return err
	}

	// A pending upload may get the key of its file during the count, which may then include the file. So
	// repeat the count until the stems of the pending uploads stay the same.
	for {
		r.attempts++
		if r.attempts > maxRecounts {
			return errRestless
		}
		if err := r.countFiles(ctx); err != nil {
			return err
		}

		// This also finds the stems of the pending uploads again.
		oldPending := r.pending
		if err := r.dropDeadEntries(ctx); err != nil {
			return err
		}
		if maps.Equal(oldPending, r.pending) {
			break
		}
	}

	if r.mayBecomeWrong {
		// Calls in progress may make the count wrong. They have ended after the longest lease, so let the first
		// Sweep after it count again.
		r.counter.book.DoubtAfter(t, r.counter.leaseUntil())
	}
	return nil
}

// countFiles sets the count of the ledger to the files of the user, except those that an entry counts,
// because they are being uploaded or removed.
func (r *recountOp) countFiles(ctx context.Context) error {
	t := r.ledger
	t.Bytes = 0
	t.Files = 0
	// A removal that is in progress may have subtracted a file twice.
	r.mayBecomeWrong = r.hasRemoval()

	for f, err := range r.counter.filesOf(ctx, r.user) {
		if err != nil {
			return err
		}
		stem := r.counter.setup.pattern.Stem(f.Key)
		// The entry of its upload counts this file.
		if r.pending[stem] {
			continue
		}
		isInRemoval := r.addToRemoval(f)
		if isInRemoval {
			continue
		}

		t.Bytes += f.Size
		t.Files++
		if r.hasUnknownDead || r.dead[stem] {
			// A slow call of the upload taken for dead may still remove this file, and subtract nothing.
			r.mayBecomeWrong = true
		}
	}
	return nil
}

// hasRemoval reports whether a removal is in progress.
func (r *recountOp) hasRemoval() bool {
	for _, entry := range r.ledger.Entries {
		if entry.Removal != "" {
			return true
		}
	}
	return false
}

// addToRemoval counts a file in the entry of its removal, and returns false if the file is not being removed.
func (r *recountOp) addToRemoval(f *File) bool {
	name := ledger.Removal{Key: f.Key}.Name()
	entry, exists := r.ledger.Entries[name]
	if !exists {
		return false
	}
	// If the removal began while a reservation counted the file, its entry has no bytes yet.
	entry.Bytes = f.Size
	entry.Files = 1
	r.ledger.Entries[name] = entry
	return true
}

// dropDeadEntries removes the entries of the ledger that nobody will complete. It sets r.pending to the possible
// stems of the other uploads, and adds those of the dropped entries to r.dead.
func (r *recountOp) dropDeadEntries(ctx context.Context) error {
	r.pending = map[string]bool{}
	entries := r.ledger.Entries
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		entry := entries[name]
		dead, upload, err := r.counter.checkDead(ctx, entry, r.now)
		if err != nil {
			return err
		}

		if dead {
			delete(entries, name)
			isKnown := r.addStems(r.dead, entry, upload)
			if !isKnown && entry.Removed {
				r.hasUnknownDead = true
			}
			continue
		}
		// The method addToRemoval finds the entry of a removal by the key of the file.
		if entry.Removal == "" {
			r.addStems(r.pending, entry, upload)
		}
	}
	return nil
}

// addStems adds the stems (keys without extension) that the file of an entry may have, and returns false if
// none is known. The session upload is that of the entry, or nil.
func (r *recountOp) addStems(stems map[string]bool, entry ledger.Entry, upload *session.Session) (known bool) {
	if entry.Stem != "" {
		stems[entry.Stem] = true
		return true
	}
	if upload == nil {
		return false
	}
	for _, key := range r.counter.setup.possibleKeys(upload) {
		stems[r.counter.setup.pattern.Stem(key)] = true
	}
	return true
}

// checkDead reports whether nobody will complete the upload or removal of an entry any more. It also returns the
// session of the upload if it has read it and the session belongs to the entry.
func (c *counter) checkDead(
	ctx context.Context, entry ledger.Entry, now time.Time,
) (dead bool, upload *session.Session, err error) {
	// Without a session, only the lease shows whether a call still works on the entry.
	if entry.Session == "" {
		hasLease := !entry.Until.IsZero()
		return hasLease && entry.Until.Before(now), nil, nil
	}

	// The session need not be read to find the file of a young entry with a stem.
	young := isYoung(entry, now)
	if young && entry.Stem != "" {
		return false, nil, nil
	}

	// Read the session.
	upload, err = c.sessions.Read(ctx, entry.Session)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		// The session of a young entry may not be saved yet. Any other has been removed.
		return !young, nil, nil
	}
	if err != nil {
		return false, nil, err
	}
	if upload.RunID() != entry.Run {
		// It is the session of a later upload with the same token.
		return true, nil, nil
	}

	// An upload that has ended would have dropped its entry, except a partial upload of tus, which keeps
	// it until it is joined to a file.
	dead = upload.Phase == session.PhaseDone && upload.Kind != session.KindPartial
	return dead, upload, nil
}

// isYoung reports whether the session of an entry may not be saved yet, because the call that has added the entry
// may still be running.
func isYoung(entry ledger.Entry, now time.Time) bool {
	if entry.Until.IsZero() {
		// An older version has added the entry, and has set no end.
		return now.Sub(entry.At) < orphanAge
	}
	return now.Before(entry.Until)
}

// filesOf iterates over the files of a user, of which at least Key and Size are set.
func (c *counter) filesOf(ctx context.Context, user string) iter.Seq2[*File, error] {
	if c.setup.config.Records != nil {
		return c.recordsOf(ctx, user)
	}
	pattern := c.setup.pattern
	prefix := storage.WithPrefix(pattern.OwnersPrefix(user))
	return func(yield func(*File, error) bool) {
		for entry, err := range c.setup.bucket.List(ctx, prefix, storage.WithAnyOrder()) {
			if err != nil {
				yield(nil, err)
				return
			}
			if pattern.Owner(entry.Key) != user {
				continue
			}
			if !yield(&File{Key: entry.Key, Size: entry.Size}, nil) {
				return
			}
		}
	}
}

// recordsOf iterates over the records of a user, including those that expire.
func (c *counter) recordsOf(ctx context.Context, user string) iter.Seq2[*File, error] {
	filter := Filter{User: user, Expiring: true}
	records := paged("", func(startAfter string) ([]*File, string, error) {
		return c.setup.config.Records.List(ctx, filter, startAfter, listPage)
	})
	return func(yield func(*File, error) bool) {
		for f, err := range records {
			if err == nil && f.User.ID != user {
				// For the user "", the filter selects the records of all users.
				continue
			}
			if !yield(f, err) {
				return
			}
		}
	}
}

// recountLedgers counts the files of each user again whose ledger has a dead entry, which nobody will
// complete. Before that, it moves the ledgers of an older version to their new keys.
func (w *sweeper) recountLedgers(ctx context.Context) error {
	// Move the old ledgers.
	old := w.states(ctx, ledger.OldPrefix, "")
	err := running.Stream(ctx, old, readConcurrency, func(ctx context.Context, state ListedState) error {
		if !ledger.IsKey(ledger.OldPrefix, state.Key) {
			return nil
		}
		return w.counter.book.Migrate(ctx, state.Key)
	})
	if err != nil {
		return err
	}

	// Count again.
	var mu sync.Mutex // guards w.report and w.errs
	prefix := w.counter.book.Prefix
	current := w.states(ctx, prefix, "")
	return running.Stream(ctx, current, readConcurrency, func(ctx context.Context, state ListedState) error {
		if !ledger.IsKey(prefix, state.Key) {
			return nil
		}
		recounted, err := w.recountDead(ctx, state.Key)

		mu.Lock()
		defer mu.Unlock()
		if recounted {
			w.report.Recounted++
		}
		if len(w.errs) == maxFailures-1 {
			// Sweep gives up after this error, which the caller adds to w.errs.
			return err
		}
		w.add(err)
		return nil
	})
}

// recountDead counts the files of a user again if the ledger under this key has a dead entry, and
// reports whether it has done so.
func (w *sweeper) recountDead(ctx context.Context, key string) (bool, error) {
	t, err := w.counter.book.ReadKey(ctx, key)
	if t == nil || err != nil {
		return false, err
	}
	hasDead, err := w.hasDeadEntry(ctx, t)
	if !hasDead || err != nil {
		return false, err
	}

	_, err = w.counter.recount(ctx, t.User, w.now)
	if errors.Is(err, errRestless) {
		// The next Sweep tries again.
		return false, nil
	}
	return err == nil, err
}

// hasDeadEntry reports whether a ledger has an entry whose upload or removal has died.
func (w *sweeper) hasDeadEntry(ctx context.Context, t *ledger.Text) (bool, error) {
	for _, entry := range t.Entries {
		dead, _, err := w.counter.checkDead(ctx, entry, w.now)
		if dead || err != nil {
			return dead, err
		}
	}
	return false, nil
}
