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

// Load returns the session with this ID if it belongs to this user, and NotFound otherwise.
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

// LoadAny returns the session with this ID, whoever its user is. It fails with NotFound if its upload was
// aborted or has expired.
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

	// A session that is over must look like a missing one.
	now := k.setup.config.Now()
	isExpired := !now.Before(s.Expires)
	if s.Phase == session.PhaseAborted || isExpired || k.isOutdated(s) {
		return nil, refusal.NotFound()
	}
	s.ID = id

	if k.IsClaimedAt(s, now.Add(2*session.ClaimFor)) {
		// The claim was made by another process with a fast clock, so shorten it. If that process is
		// still running, it renews the claim. If Save fails, the next call shortens it.
		s.ClaimedUntil = now.Add(session.ClaimFor)
		_ = k.Save(ctx, s)
	}

	if err := k.setLink(ctx, s); err != nil {
		return nil, refusal.StoreFailed(err)
	}
	return s, nil
}

// setLink sets the link of a session whose file is stored. A link is made again each time, unless the application has
// set a location.
func (k *keeper) setLink(ctx context.Context, s *session.Session) error {
	isFile := s.Phase == session.PhaseDone && s.Kind != session.KindPartial
	if !isFile || s.Location != "" {
		return nil
	}
	f := fileOf(s)
	if err := k.setup.link(ctx, f); err != nil {
		return err
	}
	s.Link = f.Location
	return nil
}

// isOutdated reports whether an unfinished upload must not be completed because Config has changed since
// it began. Such an upload lacks a reservation or a key that Config now needs, or its bytes are in the
// wrong place.
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

	// A multipart upload makes its object at the place that Config determined when it began.
	return s.Staged != k.setup.isStaged(s.Kind)
}

// lacksReservation reports whether an upload has no reservation, and gets none later.
func (k *keeper) lacksReservation(s *session.Session) bool {
	return k.counter != nil && !s.Reserved && s.Kind != session.KindSingle
}

// lacksKey reports whether an upload neither has a key that this Config permits nor gets one later.
func (k *keeper) lacksKey(s *session.Session) bool {
	if s.Target.Key != "" {
		return k.setup.config.Records != nil && keypattern.IDIn(s.Target.Key) == ""
	}
	// Only the content makes a key later, from the values of the user.
	return !k.setup.judge.LooksAtContent() || k.setup.checkUser(userOf(s)) != nil
}

// Abort aborts and removes a session that is not done. A request that is still in progress fails when
// it writes the state.
func (k *keeper) Abort(ctx context.Context, s *session.Session) error {
	s, err := k.Update(ctx, s, func(s *session.Session) (bool, error) {
		if s.Phase == session.PhaseAborted {
			return false, nil
		}
		isFile := s.Phase == session.PhaseDone && s.Kind != session.KindPartial
		if isFile {
			return false, s.Completed()
		}

		// A call is making the file, or was killed while it did.
		if k.IsClaimed(s) || s.IsFinishing() {
			return false, refusal.BeingCompleted()
		}
		s.Phase = session.PhaseAborted
		return true, nil
	})
	if err != nil {
		return err
	}

	// Remove the objects, and release the room.
	if err := k.Remove(ctx, s); err != nil {
		return refusal.StoreFailed(err)
	}
	if err := k.RemoveJoined(ctx, s); err != nil {
		return err
	}
	k.releaseRoom(ctx, s)
	return nil
}
