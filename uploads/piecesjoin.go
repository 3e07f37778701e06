package uploads

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
)

// joinAttempts limits how often one call joins the pieces. A call joins them again if a piece was
// replaced meanwhile. Only calls that began before all pieces had arrived can replace a piece.
const joinAttempts = 40

// hasAllPieces reports whether all pieces have arrived. It fails if they are too large together; the
// client may then replace one by a smaller one.
func (u *putPiece) hasAllPieces(ctx context.Context, s *session.Session) (bool, error) {
	// The piece with the highest number usually arrives last, so most calls need only this request.
	if u.piece.Number != s.Pieces.Count {
		exists, err := u.setup.bucket.Exists(ctx, u.key(s.Pieces.Count))
		if err != nil || !exists {
			return false, err
		}
	}

	keys, err := u.storedKeys(ctx, s)
	return len(keys) == s.Pieces.Count, err
}

// storedKeys returns the keys of the pieces in order, up to the first missing one. It fails with
// TooLarge if all pieces are there, but are too large together.
func (u *putPiece) storedKeys(ctx context.Context, s *session.Session) ([]string, error) {
	var keys []string
	var size int64
	for entry, err := range u.setup.bucket.List(ctx, storage.WithPrefix(u.prefix)) {
		if err != nil {
			return nil, err
		}
		isNext := entry.Key == u.key(len(keys)+1)
		if !isNext {
			break
		}
		keys = append(keys, entry.Key)
		size += entry.Size
	}

	maximum := u.setup.limit(&s.Target)
	isTooLarge := maximum > 0 && size > maximum
	if isTooLarge && len(keys) == s.Pieces.Count {
		return nil, refusal.TooLarge(refusal.FileField, maximum)
	}
	return keys, nil
}

// finish makes the file from a complete set of pieces, or waits for another call that makes it. Many
// calls in many processes may do so, and any of them may be killed: together they make one file.
func (u *putPiece) finish(ctx context.Context, s *session.Session) (*session.Session, error) {
	unchangedRevision := ""          // revision of the state in the last round
	unchangedFor := time.Duration(0) // how long the state has had this revision
	for poll := firstPoll; ; poll = min(2*poll, lastPoll) {
		current, err := u.reloadInUse(ctx, s)
		if err != nil {
			return nil, pieceFailed(err)
		}
		if current.Phase == session.PhaseDone {
			return current, nil
		}
		if current.Revision != unchangedRevision {
			unchangedRevision = current.Revision
			unchangedFor = 0
		}

		// Another call makes the file, and changes the state when it renews its claim. Wait until the claim ends,
		// but at most for ClaimFor, because the clock of the process that has set this end may be wrong.
		mustWait := u.service.keeper.IsClaimed(current) && unchangedFor < session.ClaimFor
		if mustWait {
			if err := u.setup.memory.Wait(ctx, poll); err != nil {
				return nil, pieceFailed(err)
			}
			unchangedFor += poll
			continue
		}

		// Make the file. If the state still has this revision, its claim is overdue, and is ignored.
		current.Overdue = current.Revision
		final, err := u.makeFile(ctx, current)
		if err == nil {
			return final, nil
		}
		if !u.isOvertaken(ctx, current) {
			if refusal.CodeOf(err) != refusal.CodeLocked {
				return nil, pieceFailed(err)
			}
			// Several calls block each other. Store.Update has given up after MaxConflicts conflicts, so count them.
			u.conflicts += session.MaxConflicts
		}
		if err := u.countConflict(s.Dir); err != nil {
			return nil, err
		}
	}
}

// makeFile makes the file from the pieces, or from the object that an earlier call has made of them.
func (u *putPiece) makeFile(ctx context.Context, s *session.Session) (*session.Session, error) {
	oldKey := s.Target.Key
	return u.service.keeper.Finish(ctx, s, func(ctx context.Context, key string) (*storage.Attrs, error) {
		attrs, err := u.joinOnce(ctx, s, key, oldKey)
		if err != nil {
			return attrs, err
		}
		return u.checkJoined(ctx, s, attrs)
	})
}

// joinOnce joins the pieces to an object with this key, unless an earlier call has made it. Such a call can have made
// the object only under oldKey.
func (u *putPiece) joinOnce(ctx context.Context, s *session.Session, key, oldKey string) (*storage.Attrs, error) {
	if key != oldKey {
		return u.join(ctx, s, key)
	}
	attrs, err := u.setup.bucket.Attrs(ctx, key)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return u.join(ctx, s, key)
	}
	return attrs, err
}

// isOvertaken reports whether another call has made the file, or is making it now. If the state cannot be read, it
// returns false.
func (u *putPiece) isOvertaken(ctx context.Context, s *session.Session) bool {
	keeper := u.service.keeper
	current, err := keeper.Reload(ctx, s)
	if err != nil {
		return false
	}
	if current.Phase == session.PhaseDone {
		return true
	}
	return current.Phase != session.PhaseAborted && keeper.IsClaimed(current)
}

// join joins the pieces to one object, and starts again if a piece was replaced meanwhile. If a piece is missing or
// the pieces are too large, it fails with SendAgain, after which the upload takes pieces again.
func (u *putPiece) join(ctx context.Context, s *session.Session, key string) (*storage.Attrs, error) {
	opts := session.OptionsFor[storage.CopyOption](u.service.keeper.FirstTarget(s))
	for attempt := 1; ; attempt++ {
		keys, err := u.storedKeys(ctx, s)
		if refused := refusal.Of(err); refused != nil {
			return nil, session.SendAgain{Refusal: refused}
		}
		if err != nil {
			return nil, err
		}
		if len(keys) < s.Pieces.Count {
			return nil, session.SendAgain{Refusal: refusal.NotFound()}
		}

		attrs, err := storage.Compose(ctx, u.setup.bucket, key, keys, opts...)
		if storage.CodeOf(err) == storage.ObjectNotFound {
			return nil, session.SendAgain{Refusal: refusal.NotFound()}
		}
		wasReplaced := storage.CodeOf(err) == storage.Changed
		if !wasReplaced || attempt == joinAttempts {
			return attrs, err
		}
	}
}

// checkJoined removes the joined file if it is too large, because a piece was replaced by a larger one
// after the sizes had been added up.
func (u *putPiece) checkJoined(
	ctx context.Context, s *session.Session, attrs *storage.Attrs,
) (*storage.Attrs, error) {
	maximum := u.setup.limit(&s.Target)
	if maximum <= 0 || attrs.Size <= maximum {
		return attrs, nil
	}
	if err := u.setup.discardUnchanged(ctx, attrs.Key, attrs); err != nil {
		return nil, err
	}
	return nil, session.SendAgain{Refusal: refusal.TooLarge(refusal.FileField, maximum)}
}
