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
	"github.com/omnibucket/storage/internal/parallel"
	"github.com/omnibucket/storage/uploads/internal/ledger"
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
		return Usage{}, noAllowances()
	}
	u, err := s.counter.recount(evidence.WithoutFailover(ctx), user, s.config.Now())
	if err != nil {
		return Usage{}, storeFailed(err)
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

func (c *counter) recount(ctx context.Context, user string, now time.Time) (u Usage, err error) {
	attempts := 0
	err = c.book.Recount(ctx, user, func(t *ledger.Text) error {
		pending, err := c.livingStems(ctx, t, now)
		for err == nil {
			attempts++
			if attempts > maxRecounts {
				return errRestless
			}
			if err := c.countFiles(ctx, user, t, pending); err != nil {
				return err
			}
			u = usageOf(t)
			// The key of a file in pieces or of a joined file may have been chosen since, and the
			// file made. Then count again, without this file.
			old := pending
			pending, err = c.livingStems(ctx, t, now)
			if err == nil && maps.Equal(old, pending) {
				return nil
			}
		}
		return err
	})
	return u, err
}

// countFiles sets the count of a ledger to the files of the user, except those with pending stems.
func (c *counter) countFiles(ctx context.Context, user string, t *ledger.Text, pending map[string]bool) error {
	t.Bytes = 0
	t.Files = 0
	for f, err := range c.filesOf(ctx, user) {
		if err != nil {
			return err
		}
		if !pending[c.service.pattern.Stem(f.Key)] {
			t.Bytes += f.Size
			t.Files++
		}
	}
	return nil
}

// livingStems removes the dead entries of a ledger, which nobody will complete. It returns the
// stems of the files of the remaining entries. The stem of a file is its key without the extension.
func (c *counter) livingStems(ctx context.Context, t *ledger.Text, now time.Time) (map[string]bool, error) {
	stems := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(t.Entries)) {
		e := t.Entries[name]
		dead, open, err := c.isDead(ctx, e, now)
		if err != nil {
			return nil, err
		}
		switch {
		case dead:
			delete(t.Entries, name)
			continue
		case e.Stem != "":
			stems[e.Stem] = true
		case open != nil:
			for _, key := range c.service.keeper.possibleKeys(open) {
				stems[c.service.pattern.Stem(key)] = true
			}
		}
	}
	return stems, nil
}

// isDead reports whether an entry is dead: nobody will complete its upload or removal. If isDead
// has read the session of the entry, it also returns the session.
func (c *counter) isDead(ctx context.Context, e ledger.Entry, now time.Time) (dead bool, open *session, err error) {
	// A young entry is so new that its session may not be saved yet.
	young := now.Before(e.Until)
	if e.Until.IsZero() { // an older version has made the entry
		young = now.Sub(e.At) < orphanAge
	}
	if e.Session == "" {
		return !e.Until.IsZero() && e.Until.Before(now), nil, nil
	}
	if young && e.Stem != "" {
		return false, nil, nil
	}
	open, err = c.service.keeper.read(ctx, e.Session)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return !young, nil, nil
	}
	if err != nil {
		return false, nil, err
	}
	return open.Phase == phaseDone && open.Kind != kindPartial || open.run() != e.Run, open, nil
}

// filesOf iterates over the files of a user. It sets at least the Key and Size of each file.
func (c *counter) filesOf(ctx context.Context, user string) iter.Seq2[*File, error] {
	if c.service.config.Records != nil {
		return c.recordsOf(ctx, user)
	}
	pattern := c.service.pattern
	prefix := storage.WithPrefix(pattern.OwnersPrefix(user))
	return func(yield func(*File, error) bool) {
		for entry, err := range c.service.bucket.List(ctx, prefix, storage.WithAnyOrder()) {
			if err != nil {
				yield(nil, err)
				return
			}
			if pattern.Owner(entry.Key) == user && !yield(&File{Key: entry.Key, Size: entry.Size}, nil) {
				return
			}
		}
	}
}

func (c *counter) recordsOf(ctx context.Context, user string) iter.Seq2[*File, error] {
	q := Filter{User: user, Expiring: true}
	all := paged("", func(startAfter string) ([]*File, string, error) {
		return c.service.config.Records.List(ctx, q, startAfter, listPage)
	})
	return func(yield func(*File, error) bool) {
		for f, err := range all {
			// if user is "", the filter selects the records of all users
			if (err != nil || f.User.ID == user) && !yield(f, err) {
				return
			}
		}
	}
}

// ledgers recounts the files of each user whose ledger has a dead entry. It first moves the ledgers
// of an older version to their new keys.
func (w *sweeper) ledgers(ctx context.Context) error {
	counter := w.keeper.service.counter
	err := parallel.Stream(
		ctx, w.states(ctx, ledger.OldPrefix, ""), readConcurrency, func(ctx context.Context, state ListedState) error {
			if !ledger.IsKey(ledger.OldPrefix, state.Key) {
				return nil
			}
			return counter.book.Migrate(ctx, state.Key)
		},
	)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	prefix := counter.book.Prefix
	return parallel.Stream(
		ctx, w.states(ctx, prefix, ""), readConcurrency, func(ctx context.Context, state ListedState) error {
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
				return err // Sweep gives up after this error, which the caller adds to w.errs
			}
			w.add(err)
			return nil
		},
	)
}

// recountDead recounts the files of one user, if the ledger with this key has a dead entry.
func (w *sweeper) recountDead(ctx context.Context, key string) (recounted bool, err error) {
	counter := w.keeper.service.counter
	t, err := counter.book.ReadKey(ctx, key)
	if t == nil || err != nil {
		return false, err
	}
	for _, e := range t.Entries {
		dead, _, err := counter.isDead(ctx, e, w.now)
		if err != nil {
			return false, err
		}
		if !dead {
			continue
		}
		_, err = counter.recount(ctx, t.User, w.now)
		if errors.Is(err, errRestless) { // the next Sweep tries again
			return false, nil
		}
		return err == nil, err
	}
	return false, nil
}
