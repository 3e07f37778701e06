package ledger

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/running"
)

const (
	maxRecent = 1000 // ledgers
	// maxKept limits the memory for recent ledgers. A ledger with more entries is not kept.
	maxKept = 50

	firstWait = 2 * time.Millisecond
	lastWait  = 200 * time.Millisecond
)

// recent keeps the ledgers that this process wrote last, so that most updates need not read the
// ledger first. Calls in the same process that update the same ledger wait for each other.
type recent struct {
	mu    sync.Mutex
	slots map[string]*slot
}

// A slot has the ledger of one user.
type slot struct {
	turn  chan struct{} // holds one token while a call uses the ledger
	calls int
	text  *Text // ledger as last written; nil if not known
}

// enter waits until no other call uses the slot of a user, and returns it. The caller must then call exit.
func (r *recent) enter(ctx context.Context, user string) (*slot, error) {
	s := r.slot(user) // counts this call until leave
	select {
	case s.turn <- struct{}{}:
		return s, nil
	case <-ctx.Done():
		r.leave(s)
		return nil, &storage.Error{Code: argument.ContextCode(ctx.Err()), Op: "uploads", Err: ctx.Err()}
	}
}

// exit lets the next call use a slot.
func (r *recent) exit(s *slot) {
	<-s.turn
	r.leave(s)
}

// slot returns the slot of a user, which it creates if need be, and counts the call that uses it.
func (r *recent) slot(user string) *slot {
	r.mu.Lock()
	defer r.mu.Unlock()

	s := r.slots[user]
	if s == nil {
		s = &slot{turn: make(chan struct{}, 1)}
		r.dropIdle()
		if r.slots == nil {
			r.slots = map[string]*slot{}
		}
		r.slots[user] = s
	}
	s.calls++
	return s
}

// dropIdle drops slots that no call uses until there is room for another one. The caller must hold r.mu.
func (r *recent) dropIdle() {
	for user, s := range r.slots {
		if len(r.slots) < maxRecent {
			return
		}
		if s.calls == 0 {
			delete(r.slots, user)
		}
	}
}

// leave says that a call no longer uses a slot.
func (r *recent) leave(s *slot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.calls--
}

// An outcome says what a function has done to a ledger.
type outcome int

const (
	// changed means that the ledger must be written.
	changed outcome = iota
	// unchanged means that the ledger need not be written, or that the function has failed.
	unchanged
	// found means that the ledger need not be written, even if it is outdated.
	found
)

// change is update for a function without a result.
func (b *Book) change(ctx context.Context, user string, f func(t *Text) (outcome, error)) error {
	type none struct{}
	_, err := update(ctx, b, user, func(t *Text) (none, outcome, error) {
		o, err := f(t)
		return none{}, o, err
	})
	return err
}

// update reads a ledger, calls f to change it, writes it, and returns the result of f. If another call has changed
// the ledger meanwhile, update tries again.
//
// The ledger may come from the memory of this process and be outdated. So if f leaves such a ledger unchanged,
// update reads the stored one and calls f again.
func update[T any](
	ctx context.Context, b *Book, user string, f func(t *Text) (result T, o outcome, err error),
) (T, error) {
	var none T
	s, err := b.recent.enter(ctx, user)
	if err != nil {
		return none, err
	}
	defer b.recent.exit(s)

	lostWrite := false
	for attempt := range maxConflicts {
		// Take the ledger out of the memory, or read it.
		old := s.text
		s.text = nil
		isFromMemory := old != nil
		if !isFromMemory {
			old, err = b.Read(ctx, user)
			if err != nil {
				return none, err
			}
		}

		// Change a copy.
		t := old.clone(user)
		t.lostWrite = lostWrite
		result, o, err := f(t)
		if o == unchanged && isFromMemory {
			// The ledger may be outdated. The memory has none any more, so the next attempt reads the stored one.
			continue
		}
		if err != nil {
			return none, err
		}
		if o == unchanged {
			return result, nil
		}
		if o == found {
			s.text = old
			return result, nil
		}

		saved, err := b.write(ctx, t)
		if saved {
			s.remember(t)
			return result, nil
		}
		if err != nil && !errors.Is(err, storage.OutcomeUnknown) {
			return none, err
		}

		// The response to the write was lost, or another call was faster. A bucket may also refuse the repetition
		// of a write that created the ledger, if another call has replaced that ledger since.
		isNew := t.revision == ""
		if err != nil || isNew {
			lostWrite = true
		}
		if err := b.Wait(ctx, pause(attempt)); err != nil {
			return none, err
		}
	}

	return none, conflictError(b.Key(user))
}

// remember keeps a written ledger for the next update, unless it is too large. The caller must be between enter and
// exit.
func (s *slot) remember(t *Text) {
	if len(t.Entries) <= maxKept {
		s.text = t
	}
}

// conflictError returns the error of an update that other calls have overtaken maxConflicts times.
func conflictError(key string) error {
	return &storage.Error{
		Code: storage.Unavailable,
		Op:   "uploads",
		Key:  key,
		Err:  errors.New("the usage of a user changed again and again while this call updated it"),
		Hint: "check with storagetest that the store supports IfRevision, " +
			"or with uploadstest that the database compares revisions",
	}
}

// clone returns a copy of the ledger for the user, with an ID if the ledger is new.
func (t *Text) clone(user string) *Text {
	c := *t
	c.User = user
	c.Entries = maps.Clone(t.Entries)
	if c.revision == "" && c.ID == "" {
		c.ID = newID()
	}
	if c.Entries == nil {
		c.Entries = map[string]Entry{}
	}
	return &c
}

// pause returns a random time, so that conflicting calls in several processes do not collide again.
func pause(attempt int) time.Duration {
	maximum := min(firstWait<<min(attempt, 10), lastWait)
	return running.Jitter(maximum) + 1
}
