package uploads

import (
	"context"
	"maps"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
)

// A keeper begins and ends the uploads of sessions, and makes the objects of their files.
type keeper struct {
	*session.Store
	setup   *setup
	counter *counter // nil if Config.Allowance is nil
	files   *files
}

// Load returns the session with this ID, if it belongs to this user.
func (k *keeper) Load(ctx context.Context, id string, user session.User) (*session.Session, error) {
	s, err := k.LoadAny(ctx, id)
	if err != nil {
		return nil, err
	}
	if s.User != user.ID || !maps.Equal(s.Values, user.Values) {
		return nil, refusal.NotFound()
	}
	return s, nil
}

// LoadAny returns the session with this ID, if its upload can still be used.
func (k *keeper) LoadAny(ctx context.Context, id string) (*session.Session, error) {
	if !session.IsID(id) {
		return nil, refusal.NotFound()
	}
	s, err := k.Read(ctx, session.DirName(id))
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return nil, refusal.NotFound()
	}
	if err != nil {
		return nil, refusal.StoreFailed(err)
	}
	now := k.setup.config.Now()
	if s.Phase == session.PhaseAborted || !now.Before(s.Expires) || k.isOutdated(s) {
		return nil, refusal.NotFound()
	}
	s.ID = id

	if k.IsClaimedAt(s, now.Add(2*session.ClaimFor)) {
		// The claim lasts much longer than ClaimFor, so another process with a fast clock made it.
		// Shorten it. If the other process is still running, it renews the claim. If Save fails, the
		// next call shortens it.
		s.ClaimedUntil = now.Add(session.ClaimFor)
		_ = k.Save(ctx, s)
	}

	isFile := s.Phase == session.PhaseDone && s.Kind != session.KindPartial
	if !isFile || s.Location != "" {
		return s, nil
	}
	f := fileOf(s)
	if err := k.setup.link(ctx, f); err != nil {
		return nil, refusal.StoreFailed(err)
	}
	s.Link = f.Location
	return s, nil
}

// isOutdated reports whether an unfinished upload must not be completed, because Config has changed
// since the upload began. These are examples:
//
//   - Config.Allowance was added, and the upload has no reservation.
//   - Config.Records was added, and the key of the upload contains no ID.
//   - The content is now checked below Config.Prefix, but the bytes are under the final key.
func (k *keeper) isOutdated(s *session.Session) bool {
	if s.Phase == session.PhaseDone {
		return false
	}
	if s.Kind != session.KindPartial && (k.lacksReservation(s) || k.lacksKey(s)) {
		return true
	}
	if s.Token == "" || s.Phase == session.PhaseStored {
		return false
	}
	return s.Staged != k.setup.isStaged(s.Kind)
}

// lacksReservation reports whether an upload has no reservation, and gets none later.
func (k *keeper) lacksReservation(s *session.Session) bool {
	return k.counter != nil && !s.Reserved && s.Kind != session.KindSingle
}

// lacksKey reports whether an upload has no key that this Config permits, and gets none later.
func (k *keeper) lacksKey(s *session.Session) bool {
	if s.Target.Key != "" {
		return k.setup.config.Records != nil && keypattern.IDIn(s.Target.Key) == ""
	}
	// Only the content makes a key later, from the values of the user.
	return !k.setup.judge.LooksAtContent() || k.setup.checkUser(userOf(s)) != nil
}

// Abort ends a session that is not done, and removes it. A request that is still in progress fails
// at its next write of the state.
func (k *keeper) Abort(ctx context.Context, s *session.Session) error {
	s, err := k.Update(ctx, s, func(s *session.Session) (bool, error) {
		if s.Phase == session.PhaseAborted {
			return false, nil
		}
		if s.Phase == session.PhaseDone && s.Kind != session.KindPartial {
			return false, s.Completed()
		}
		if k.IsClaimed(s) || s.IsFinishing() {
			return false, refusal.BeingCompleted()
		}
		s.Phase = session.PhaseAborted
		return true, nil
	})
	if err != nil {
		return err
	}

	if err := k.Remove(ctx, s); err != nil {
		return refusal.StoreFailed(err)
	}
	if err := k.RemoveJoined(ctx, s); err != nil {
		return err
	}
	k.giveBack(ctx, s)
	return nil
}
