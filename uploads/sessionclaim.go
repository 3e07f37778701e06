package uploads

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/panics"
)

const (
	// claimFor is how long a claim lasts. The call that makes an object renews its claim. If the
	// process of that call is killed, the claim ends, and another call may make the object.
	claimFor = 80 * time.Second
	// releaseAttempts is how often a call tries to end its claim, because a single write may fail.
	releaseAttempts = 3
)

// claim reserves the session for the call with the ID callID. No other call can then make the
// object at the same time.
func (k *keeper) claim(ctx context.Context, s *session, callID string) (*session, error) {
	user := s.User
	etags := s.ETags
	sum := s.PartsSum
	size := s.Size
	revision := s.overdue
	complete := s.Tus != nil && s.Tus.Whole
	file := s.arrival
	return k.update(ctx, s, func(s *session) (bool, error) {
		now := k.config.Now()
		if s.User != user || s.Phase == phaseAborted {
			return false, notFound()
		}
		if s.Phase == phaseDone {
			return false, s.completed()
		}
		if k.claimedAt(s, now) && s.Claim != callID && s.revision != revision ||
			s.Phase == phaseCompleting && s.PartsSum != sum { // another call completed the upload with other parts
			return false, beingCompleted()
		}
		if s.Size < 0 {
			s.Size = size
		}
		s.arrival = file
		if s.Phase == phaseOpen && s.arrived() {
			s.Phase = phaseCompleting
			s.ETags = etags
			s.PartsSum = sum
		}
		s.Claim, s.ClaimedUntil = callID, now.Add(claimFor)
		s.again = s.Tried
		s.Tried = true
		if s.Pieces != nil {
			return true, k.drawKey(s)
		}
		if s.Tus != nil {
			s.Tus.Holder = ""
			s.Tus.Whole = complete
		}
		return true, nil
	})
}

// keepClaim renews a claim until the function stop is called. A claim is the right of one call to
// make the object. If the clocks of two processes differ, another call may take over the claim. In
// that case, stop returns true, and keepClaim cancels the returned context. For a file in pieces,
// the context is not canceled.
func (k *keeper) keepClaim(ctx context.Context, s *session) (held context.Context, stop func() (lost bool)) {
	held, cancel := context.WithCancel(ctx)
	var renewing panics.Group
	claim := s.Claim
	lost := false
	renewing.Go(func() {
		for k.service.memory.Pulse(held, claimFor/4) == nil {
			lost = !k.renew(held, s, claim)
			if !lost {
				continue
			}
			if s.Pieces == nil { // for pieces, several calls may make the file, and the first one to finish wins
				cancel()
			}
			return
		}
	}, cancel)
	return held, func() bool {
		cancel()
		renewing.Wait()
		return lost
	}
}

// renew extends a claim. If another call has the claim, renew returns false. If the store fails,
// renew returns true, and the next renewal tries again.
func (k *keeper) renew(ctx context.Context, s *session, claim string) bool {
	s, err := k.reload(ctx, s)
	if err != nil {
		return storage.CodeOf(err) != storage.ObjectNotFound
	}
	if s.Claim != claim {
		return false
	}
	s.ClaimedUntil = k.config.Now().Add(claimFor)
	_ = k.save(ctx, s)
	return true
}

// claimed reports whether a call has a valid claim on the session. If so, this call is making the
// object now.
func (k *keeper) claimed(s *session) bool { return k.claimedAt(s, k.config.Now()) }

func (k *keeper) claimedAt(s *session, now time.Time) bool {
	return s.Claim != "" && now.Before(s.ClaimedUntil) && !k.calls.ended(s.Claim)
}

// release ends the claim of a call. If the call is the holder of a tus upload, release ends that
// role, too. Without release, the next call would wait until the claim and the role expire. release
// retries, because the first request on a closed database connection fails.
func (k *keeper) release(ctx context.Context, s *session, call string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpFor)
	defer cancel()
	for range releaseAttempts {
		current, err := k.reload(ctx, s)
		if err == nil {
			_, err = k.update(ctx, current, func(s *session) (bool, error) {
				claims := s.Claim == call && s.Phase != phaseDone && s.Phase != phaseAborted
				holds := s.Tus != nil && s.Tus.Holder == call
				if claims {
					s.Claim = ""
				}
				if holds {
					s.Tus.Holder = ""
				}
				return claims || holds, nil
			})
		}
		if storage.CodeOf(err) != storage.Unavailable {
			return
		}
	}
}
