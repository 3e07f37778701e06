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
	attempts := 0
	err := c.book.Recount(ctx, user, func(t *ledger.Text) error {
		err := c.recountLedger(ctx, user, t, now, &attempts)
		usage = usageOf(t)
		return err
	})
	return usage, err
}

// recountLedger drops the dead entries of a ledger and counts the files of the user again. It adds each count
// to attempts, and fails with errRestless after too many.
func (c *counter) recountLedger(
	ctx context.Context, user string, t *ledger.Text, now time.Time, attempts *int,
) error {
	r := &reckoning{dead: map[string]bool{}}
	if err := c.dropDeadEntries(ctx, t, now, r); err != nil {
		return err
	}

	// Repeat the count if a pending upload has got the key of its file meanwhile, because the file may
	// have been counted.
	for {
		*attempts++
		if *attempts > maxRecounts {
			return errRestless
		}
		if err := c.countFiles(ctx, user, t, r); err != nil {
			return err
		}

		oldPending := r.pending
		if err := c.dropDeadEntries(ctx, t, now, r); err != nil {
			return err
		}
		if maps.Equal(oldPending, r.pending) {
			break
		}
	}

	if r.doubtful {
		// A Sweep after the longest lease counts again.
		c.book.DoubtAfter(t, c.leaseUntil())
	}
	return nil
}

// A reckoning is what one count of a user's files knows of the entries in the ledger. The stem of a
// file is its key without the extension.
type reckoning struct {
	pending map[string]bool // stems of the files of uploads that have not ended
	dead    map[string]bool // stems of the files whose entries were dropped because they were dead
	// unknown is true if an entry was dropped, and a removal has begun of its file, whose key is not
	// known any more.
	unknown bool
	// doubtful is true if the count may be wrong as soon as another call ends.
	doubtful bool
}

// countFiles sets the count of a ledger to the files of the user, except those of pending uploads and
// those that are being removed, which are in the entries.
//
// The count is doubtful if a file of a dead entry is counted, because a slow call may still remove it
// and subtract nothing. It is also doubtful if a removal is in progress, which may have subtracted a
// file twice.
func (c *counter) countFiles(ctx context.Context, user string, t *ledger.Text, r *reckoning) error {
	t.Bytes = 0
	t.Files = 0
	r.doubtful = false

	// Look for a removal that is in progress.
	for _, entry := range t.Entries {
		if entry.Removal != "" {
			r.doubtful = true
		}
	}

	// Count the files.
	for f, err := range c.filesOf(ctx, user) {
		if err != nil {
			return err
		}
		stem := c.setup.pattern.Stem(f.Key)
		// The entry of the upload counts this file.
		if r.pending[stem] {
			continue
		}

		name := ledger.Removal{Key: f.Key}.Name()
		removal, isRemoved := t.Entries[name]
		if isRemoved {
			// The removal may have begun when the file was part of a reservation that is dead now.
			removal.Bytes = f.Size
			removal.Files = 1
			t.Entries[name] = removal
			continue
		}

		t.Bytes += f.Size
		t.Files++
		if r.unknown || r.dead[stem] {
			r.doubtful = true
		}
	}
	return nil
}

// dropDeadEntries removes the dead entries of a ledger, which nobody will complete. It notes in the reckoning
// where the files of dead and of pending uploads may be.
func (c *counter) dropDeadEntries(ctx context.Context, t *ledger.Text, now time.Time, r *reckoning) error {
	r.pending = map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(t.Entries)) {
		entry := t.Entries[name]
		dead, open, err := c.isDead(ctx, entry, now)
		if err != nil {
			return err
		}
		if entry.Removal != "" && !dead {
			// The method countFiles finds the entry by the key of the file.
			continue
		}

		// Note the stems of the possible files with those of dead or of pending uploads.
		stems := r.pending
		if dead {
			delete(t.Entries, name)
			stems = r.dead
		}
		switch {
		case entry.Stem != "":
			stems[entry.Stem] = true
		case open != nil:
			for _, key := range c.setup.possibleKeys(open) {
				stems[c.setup.pattern.Stem(key)] = true
			}
		case dead && entry.Removed:
			r.unknown = true
		}
	}
	return nil
}

// isDead reports whether nobody will complete the upload or removal of an entry any more. It also returns the
// session of the entry if it has read it.
func (c *counter) isDead(
	ctx context.Context, entry ledger.Entry, now time.Time,
) (dead bool, open *session.Session, err error) {
	// Without a session, only the lease shows whether a call still works on the entry.
	if entry.Session == "" {
		return !entry.Until.IsZero() && entry.Until.Before(now), nil, nil
	}

	// The session of a young entry may not be saved yet.
	isYoung := now.Before(entry.Until)
	if entry.Until.IsZero() {
		// An older version has made the entry.
		isYoung = now.Sub(entry.At) < orphanAge
	}
	if isYoung && entry.Stem != "" {
		return false, nil, nil
	}

	// Read the session.
	open, err = c.sessions.Read(ctx, entry.Session)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		// The session has been removed, or was not saved yet.
		return !isYoung, nil, nil
	}
	if err != nil {
		return false, nil, err
	}
	if open.RunID() != entry.Run {
		// It is the session of a later upload with the same token.
		return true, nil, nil
	}

	// An upload that has ended would have dropped its entry, except a partial upload of tus, which keeps
	// it until it is joined to a file.
	dead = open.Phase == session.PhaseDone && open.Kind != session.KindPartial
	return dead, open, nil
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
		dead, _, err := w.counter.isDead(ctx, entry, w.now)
		if dead || err != nil {
			return dead, err
		}
	}
	return false, nil
}
