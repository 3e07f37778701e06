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

// enter waits until no other call uses the slot of a user, and returns it. The caller must then receive from
// its channel turn, which lets the next call in, and call leave.
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

// errFound ends a call of the method update without a write. The callback of update returns
// errFound if it has found its entry in the ledger. If the ledger came from memory, the entry may
// be outdated. The call ends nevertheless, and does not load the stored ledger.
var errFound = errors.New("found")

// update reads a ledger, modifies it with change, and writes it unless change returns false. If another call
// has changed the ledger meanwhile, update tries again.
//
// The ledger may come from the memory of this process and be outdated, so if change returns false for such
// a ledger, update reads the stored one and calls change again.
//
// After a write whose response was lost, change gets lost = true, because that write may have changed the
// ledger already.
func (b *Book) update(ctx context.Context, user string, change func(t *Text, lost bool) (changed bool, err error)) error {
	s, err := b.recent.enter(ctx, user)
	if err != nil {
		return err
	}
	defer func() {
		<-s.turn
		b.recent.leave(s)
	}()

	lost := false
	for attempt := range maxConflicts {
		old := s.text
		isFromMemory := old != nil
		if !isFromMemory {
			old, err = b.Read(ctx, user)
			if err != nil {
				return err
			}
		}

		t := old.clone(user)
		s.text = nil
		changed, err := change(t, lost)
		if err == errFound {
			s.text = old
			return nil
		}
		if !changed && isFromMemory {
			// The ledger may be outdated, so call change again with the stored one.
			continue
		}
		if !changed || err != nil {
			return err
		}

		saved, err := b.write(ctx, t)
		if saved {
			if len(t.Entries) <= maxKept {
				s.text = t
			}
			return nil
		}
		if errors.Is(err, storage.OutcomeUnknown) {
			lost = true
		} else if err != nil {
			return err
		}
		if t.revision == "" {
			// A bucket may refuse the repetition of a write that created the ledger, if another call
			// has replaced that ledger since.
			lost = true
		}
		if err := b.Wait(ctx, pause(attempt)); err != nil {
			return err
		}
	}

	return &storage.Error{
		Code: storage.Unavailable,
		Op:   "uploads",
		Key:  b.Key(user),
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
