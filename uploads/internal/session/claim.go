package session

import (
	"context"
	"slices"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/uploads/internal/refusal"
)

const (
	// ClaimFor is how long a claim lasts. The call that makes an object renews its claim. If the
	// process of that call is killed, the claim ends, and another call may make the object.
	ClaimFor = 80 * time.Second
	// releaseAttempts is how often a call tries to end its claim, because a single write may fail.
	releaseAttempts = 3
)

// Claim reserves a session for the call with this ID, so that no other call makes the object of the file at the
// same time, and returns the session as saved. It calls setKey for a file in pieces, whose key is not chosen before.
func (st *Store) Claim(ctx context.Context, s *Session, callID string, setKey func(*Session) error) (*Session, error) {
	// Update calls the function again if another call has changed the session. So keep what only this call knows.
	known := *s
	isWhole := s.Tus != nil && s.Tus.Whole
	return st.Update(ctx, s, func(current *Session) (bool, error) {
		now := st.Now()
		if err := st.claimError(current, &known, callID, now); err != nil {
			return false, err
		}
		current.addKnown(&known)

		// Other calls may take the claim over after ClaimedUntil.
		current.Claim = callID
		current.ClaimedUntil = now.Add(ClaimFor)

		// An earlier call that had a claim may have made the object. Tried is saved with the session, and Again tells
		// only this call.
		current.Again = current.Tried
		current.Tried = true

		if current.Pieces != nil {
			return true, setKey(current)
		}
		if current.Tus != nil {
			current.Tus.Holder = ""
			current.Tus.Whole = isWhole
		}
		return true, nil
	})
}

// claimError returns the reason why the call with this ID may not claim a session, or nil. The call has read the
// session before as known, and has read it again as current.
func (st *Store) claimError(current, known *Session, callID string, now time.Time) error {
	if current.User != known.User || current.Phase == PhaseAborted {
		return refusal.NotFound()
	}
	if current.Phase == PhaseDone {
		return current.Completed()
	}

	// Another call has the claim. Ignore it only if this call has waited for its end in vain: the stored session has
	// not changed since known.Overdue was set.
	isOverdue := current.Revision == known.Overdue
	if st.IsClaimedAt(current, now) && current.Claim != callID && !isOverdue {
		return refusal.BeingCompleted()
	}

	// Another call completes the upload with other parts.
	if current.Phase == PhaseCompleting && current.PartsSum != known.PartsSum {
		return refusal.BeingCompleted()
	}
	return nil
}

// addKnown adds to a stored session what the call that claims it knows of the file: its size, the bytes that arrive
// now, and the parts that make it.
func (s *Session) addKnown(known *Session) {
	if s.Size < 0 {
		s.Size = known.Size
	}
	s.Arrival = known.Arrival
	if s.Phase == PhaseOpen && s.Arrived() {
		s.Phase = PhaseCompleting
		s.ETags = known.ETags
		s.PartsSum = known.PartsSum
	}
}

// A ClaimKeeper renews a claim, which is the right of one call to make the object.
type ClaimKeeper struct {
	store    *Store
	session  *Session
	claim    string
	cancel   context.CancelFunc
	renewing running.Group
	isLost   bool // belongs to the goroutine until it has ended
}

// KeepClaim renews the claim of a session until Stop is called. If another call takes the claim over, because
// clocks differ, the returned context is canceled, except for a file in pieces.
func (st *Store) KeepClaim(ctx context.Context, s *Session) (context.Context, *ClaimKeeper) {
	ctx, cancel := context.WithCancel(ctx)
	k := &ClaimKeeper{store: st, session: s, claim: s.Claim, cancel: cancel}
	k.renewing.Go(func() { k.run(ctx) }, cancel)
	return ctx, k
}

// run renews the claim until ctx is canceled or another call has the claim.
func (k *ClaimKeeper) run(ctx context.Context) {
	const period = ClaimFor / 4
	for !k.isLost && k.store.Pulse(ctx, period) == nil {
		k.isLost = !k.store.renew(ctx, k.session, k.claim)
	}
	// Several calls may make a file of pieces, and the first one to finish wins.
	if k.isLost && k.session.Pieces == nil {
		k.cancel()
	}
}

// Stop ends the renewal, and reports whether another call has taken the claim over. It may be called twice.
func (k *ClaimKeeper) Stop() (lost bool) {
	k.cancel()
	k.renewing.Wait()
	return k.isLost
}

// renew extends a claim, and returns false only if another call has it now. After a failure of the
// store, it returns true, and the next renewal tries again.
func (st *Store) renew(ctx context.Context, s *Session, claim string) bool {
	s, err := st.Reload(ctx, s)
	if err != nil {
		return storage.CodeOf(err) != storage.ObjectNotFound
	}
	if s.Claim != claim {
		return false
	}
	s.ClaimedUntil = st.Now().Add(ClaimFor)
	_ = st.Save(ctx, s) // if it fails, the next renewal tries again
	return true
}

// IsClaimed reports whether a call has a valid claim on the session, and so is making the object now.
func (st *Store) IsClaimed(s *Session) bool { return st.IsClaimedAt(s, st.Now()) }

// IsClaimedAt is IsClaimed at another time.
func (st *Store) IsClaimedAt(s *Session, now time.Time) bool {
	return s.Claim != "" && now.Before(s.ClaimedUntil) && !st.Calls.Ended(s.Claim)
}

// Release ends the claim of a call, and its role as the holder of a tus upload, so that the next call
// need not wait until they expire. It does so even if ctx has ended.
func (st *Store) Release(ctx context.Context, s *Session, call string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), CleanUpFor)
	defer cancel()

	// The first request on a closed database connection fails, so try again.
	for range releaseAttempts {
		err := st.releaseOnce(ctx, s, call)
		if storage.CodeOf(err) != storage.Unavailable {
			return
		}
	}
}

// releaseOnce tries once to end the claim of a call and its role as a holder.
func (st *Store) releaseOnce(ctx context.Context, s *Session, call string) error {
	current, err := st.Reload(ctx, s)
	if err != nil {
		return err
	}
	_, err = st.Update(ctx, current, func(latest *Session) (bool, error) {
		isOver := latest.Phase == PhaseDone || latest.Phase == PhaseAborted
		isClaimer := latest.Claim == call && !isOver
		isHolder := latest.Tus != nil && latest.Tus.Holder == call
		if isClaimer {
			latest.Claim = ""
		}
		if isHolder {
			latest.Tus.Holder = ""
		}
		return isClaimer || isHolder, nil
	})
	return err
}

// Advance saves a step of a call that makes the object, and fails if another call has taken over the
// claim, which is the right to do so.
func (st *Store) Advance(ctx context.Context, s *Session, step func(*Session)) (*Session, error) {
	return st.advance(ctx, s, nil, step)
}

// AdvanceSameKey is Advance, except that for a file in pieces, the call takes the claim back if the state still has
// the given random bits. The other call then makes the object under the same key.
func (st *Store) AdvanceSameKey(
	ctx context.Context, s *Session, random []byte, step func(*Session),
) (*Session, error) {
	return st.advance(ctx, s, random, step)
}

// advance saves a step, unless another call has the claim and the call may not take it back with these random bits.
func (st *Store) advance(ctx context.Context, s *Session, random []byte, step func(*Session)) (*Session, error) {
	claim := s.Claim
	return st.Update(ctx, s, func(latest *Session) (bool, error) {
		if latest.Claim != claim && !latest.letsTakeBack(random) {
			return false, refusal.BeingCompleted()
		}
		latest.Claim = claim
		step(latest)
		return true, nil
	})
}

// letsTakeBack reports whether a call that has chosen these random bits, or nil, may take its claim back from
// another call, which makes the same object.
func (s *Session) letsTakeBack(random []byte) bool {
	if s.Pieces == nil || s.Phase != PhaseCompleting {
		return false
	}
	return random != nil && slices.Equal(s.Random, random)
}
