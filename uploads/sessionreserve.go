package uploads

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
	"github.com/omnibucket/storage/uploads/internal/ledger"
)

// reservation returns the name of a session's reservation in the ledger of its user.
func (s *session) reservation() string {
	if s.Pieces != nil {
		return s.name + "-" + s.Pieces.Run
	}
	return s.name
}

// reserve reserves room for a new session in the allowance of its user. If the size of the file is
// not known, the file may have at most the reserved bytes.
func (k *keeper) reserve(ctx context.Context, s *session, replaces ...string) *Error {
	a := k.ask(s)
	a.replaces = replaces
	granted, e := k.service.counter.reserve(ctx, a)
	if e != nil {
		return e
	}
	s.Reserved = k.service.counter != nil
	if s.Reserved && s.Size < 0 {
		s.Target.MaxSize = granted
	}
	return nil
}

// ask returns the request for room for a session.
func (k *keeper) ask(s *session) ask {
	a := ask{
		user:  s.user(),
		name:  s.reservation(),
		size:  s.Size,
		most:  s.Target.MaxSize,
		entry: ledger.Entry{Files: 1, Session: s.name, Run: s.run()},
	}
	if counter := k.service.counter; counter != nil {
		a.entry.Until = counter.leaseUntil() // the state is saved long before
	}
	if s.Kind == kindPartial {
		a.entry.Files = 0
	} else if s.Pieces == nil && s.Kind != kindFinal {
		// Files in pieces and joined files get no Stem, because their final key is not known yet.
		a.entry.Stem = k.stem(s)
	}
	return a
}

// checkRoom fails if the user has no room for another file. It reserves nothing, because it is called
// for a GET, which must not change anything for the user.
func (k *keeper) checkRoom(ctx context.Context, s *session) *Error {
	a := k.ask(s)
	a.try = true
	_, e := k.service.counter.reserve(ctx, a)
	return e
}

// An arrival is a file of kindSingle whose bytes arrive in the present request.
type arrival struct {
	size int64 // in bytes, or -1 if it is not known
	most int64 // greatest permitted size in bytes; 0 means no limit. The method reserveSingle sets it.
}

// reserveSingle reserves room for a file of kindSingle whose bytes arrive now. The caller has claimed
// the session. So no other request can reserve room for the file, or count it, at the same time. If an
// earlier request has reserved room, the file may have at most these bytes.
func (k *keeper) reserveSingle(ctx context.Context, s *session) (*session, error) {
	file := s.arrival
	retry := s.again
	if k.service.counter != nil && !s.Reserved {
		a := k.ask(s)
		a.keep = true
		if file.size >= 0 {
			a.size = max(file.size, 1) // so that an empty file has a limit, too
		}
		granted, e := k.service.counter.reserve(ctx, a)
		if e != nil {
			return nil, e
		}
		var err error
		s, err = k.advance(ctx, s, nil, func(s *session) {
			s.Reserved = true
			if granted > 0 {
				s.Target.MaxSize = granted
			}
		})
		if err != nil {
			return nil, err
		}
		s.again = retry
	}
	file.most = s.Target.MaxSize
	if file.most > 0 && file.size > file.most {
		return nil, tooLarge("Content-Length", file.most)
	}
	return s, nil
}

// beginEnding sets f.origin: what this call, which has claimed the session s, knows of other calls
// that end s. If an earlier call may have tried, the reservation in the ledger decides.
func (k *keeper) beginEnding(ctx context.Context, s *session, f *File) error {
	if !s.again {
		f.origin = originFirst
		return nil
	}
	if !s.Reserved || s.Kind == kindPartial {
		return nil
	}
	_, err := k.service.counter.beginEnding(ctx, f)
	return err
}

// unreserve drops the reservation of a session that could not be saved because of err.
func (k *keeper) unreserve(ctx context.Context, s *session, err error) {
	// OutcomeUnknown means that the session may have been saved. A saved session needs its
	// reservation.
	if err != nil && !errors.Is(err, storage.OutcomeUnknown) {
		k.giveBack(ctx, s)
	}
}

// stem returns the key of a session's file without its extension.
func (k *keeper) stem(s *session) string {
	key := s.Target.Key
	if s.Random != nil && key == "" {
		key = k.pattern().Key(s.user().values(), s.Begun, keypattern.Random(s.Random), "")
	}
	return k.pattern().Stem(key)
}

func (k *keeper) pattern() *keypattern.Pattern { return k.service.pattern }

// giveBack drops the reservation of a session that has stored no file.
func (k *keeper) giveBack(ctx context.Context, s *session) {
	k.service.counter.giveBack(ctx, s.User, s.reservation())
}
