package uploads

import (
	"context"
	"errors"
	"time"

	"github.com/omnibucket/storage"
)

// joinAttempts limits how often one call joins the pieces. A call joins them again if a piece was
// replaced meanwhile. Only calls that began before all pieces had arrived can replace a piece.
const joinAttempts = 40

// complete reports whether all pieces have arrived. It first looks for the last piece: that piece
// usually arrives last, so most calls need only this request. If the pieces together are too large,
// complete fails. A smaller piece may then replace one of them.
func (u *putPiece) complete(ctx context.Context, s *session) (bool, error) {
	if u.piece.Number != s.Pieces.Count {
		exists, err := u.service.bucket.Exists(ctx, u.key(s.Pieces.Count))
		if err != nil || !exists {
			return false, err
		}
	}
	keys, err := u.stored(ctx, s)
	return len(keys) == s.Pieces.Count, err
}

// stored returns the keys of the pieces in order, up to the first missing piece.
func (u *putPiece) stored(ctx context.Context, s *session) (keys []string, err error) {
	var size int64
	for entry, err := range u.service.bucket.List(ctx, storage.WithPrefix(u.prefix)) {
		if err != nil {
			return nil, err
		}
		if entry.Key != u.key(len(keys)+1) {
			break
		}
		keys = append(keys, entry.Key)
		size += entry.Size
	}
	if maximum := u.service.limit(&s.Target); maximum > 0 && size > maximum && len(keys) == s.Pieces.Count {
		return nil, tooLarge(fileField, maximum)
	}
	return keys, nil
}

// finish makes the file from a complete set of pieces, or waits for another call that makes it.
// Many calls in many processes may run finish, and any of them may be killed. Together they make
// one file.
func (u *putPiece) finish(ctx context.Context, s *session) (*session, error) {
	var seen string // revision of the state when this call began to wait
	var waited time.Duration
	for poll := firstPoll; ; poll = min(2*poll, lastPoll) {
		s, err := u.confirm(ctx, s, true)
		if err != nil {
			return nil, pieceFailed(err)
		}
		if s.Phase == phaseDone {
			return s, nil
		}
		if s.revision != seen {
			seen = s.revision
			waited = 0
		}
		// Wait until the claim ends, but at most for claimFor. Another process has set the end of
		// the claim, and the clock of that process may be wrong.
		if u.service.keeper.claimed(s) && waited < claimFor {
			if err := u.service.memory.Wait(ctx, poll); err != nil {
				return nil, pieceFailed(err)
			}
			waited += poll
			continue
		}
		oldKey := s.Target.Key // an earlier call may have stored the file under this key
		s.overdue = seen
		final, err := u.service.keeper.finish(ctx, s, func(ctx context.Context, key string) (*storage.Attrs, error) {
			if key == oldKey {
				if attrs, err := u.service.bucket.Attrs(ctx, key); storage.CodeOf(err) != storage.ObjectNotFound {
					return u.checkJoined(ctx, s, attrs, err)
				}
			}
			attrs, err := u.join(ctx, s, key)
			return u.checkJoined(ctx, s, attrs, err)
		})
		if err == nil {
			return final, nil
		}
		current, failure := u.service.keeper.reload(ctx, s)
		switch { // retry if another call took over or finished, or if several calls block each other
		case failure == nil && (current.Phase == phaseDone || current.Phase != phaseAborted && u.service.keeper.claimed(current)):
		case CodeOf(err) == Locked:
			u.conflicts += maxConflicts
		default:
			return nil, pieceFailed(err)
		}
		if err := u.conflict(s.name); err != nil {
			return nil, err
		}
	}
}

// join joins the pieces to one object. If a piece was replaced meanwhile, join starts again.
func (u *putPiece) join(ctx context.Context, s *session, key string) (*storage.Attrs, error) {
	opts := optionsFor[storage.CopyOption](u.service.keeper.firstTarget(s))
	for attempt := 1; ; attempt++ {
		keys, err := u.stored(ctx, s)
		if e, ok := errors.AsType[*Error](err); ok {
			return nil, sendAgain{e}
		}
		if err != nil {
			return nil, err
		}
		if len(keys) < s.Pieces.Count {
			return nil, sendAgain{notFound()}
		}
		attrs, err := storage.Compose(ctx, u.service.bucket, key, keys, opts...)
		if storage.CodeOf(err) == storage.ObjectNotFound {
			return nil, sendAgain{notFound()}
		}
		if storage.CodeOf(err) != storage.Changed || attempt == joinAttempts {
			return attrs, err
		}
	}
}

// checkJoined removes the joined file if it is too large. A slow call may have replaced a piece by
// a larger one after the sizes of the pieces were added up.
func (u *putPiece) checkJoined(ctx context.Context, s *session, a *storage.Attrs, err error) (*storage.Attrs, error) {
	if maximum := u.service.limit(&s.Target); err == nil && maximum > 0 && a.Size > maximum {
		if err := u.service.discardJudged(ctx, a.Key, a); err != nil {
			return nil, err
		}
		return nil, sendAgain{tooLarge(fileField, maximum)}
	}
	return a, err
}
