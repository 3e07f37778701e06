package uploads

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/ledger"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
)

// Reserve reserves room for a new session in the allowance of its user. A file of unknown size may
// then have no more bytes than were reserved.
func (k *keeper) Reserve(ctx context.Context, s *session.Session, replaces ...string) error {
	a := k.roomRequestOf(s)
	a.replaces = replaces
	granted, e := k.counter.reserve(ctx, a)
	if e != nil {
		return e
	}
	s.Reserved = k.counter != nil
	if s.Reserved && s.Size < 0 {
		s.Target.MaxSize = granted
	}
	return nil
}

// roomRequestOf returns a request for room for the file of a session.
func (k *keeper) roomRequestOf(s *session.Session) roomRequest {
	a := roomRequest{
		user:    userOf(s),
		name:    s.Reservation(),
		size:    s.Size,
		maxSize: s.Target.MaxSize,
		entry:   ledger.Entry{Files: 1, Session: s.Dir, Run: s.RunID()},
	}
	if counter := k.counter; counter != nil {
		// Keep the entry alive until the caller has saved the session.
		a.entry.Until = counter.leaseUntil()
	}
	if s.Kind == session.KindPartial {
		a.entry.Files = 0
		return a
	}
	// The final key of files in pieces and of joined files is not known yet.
	if s.Pieces == nil && s.Kind != session.KindFinal {
		a.entry.Stem = k.setup.stem(s)
	}
	return a
}

// CheckRoom fails if the user has no room for another file. It reserves nothing, because a GET must
// not change anything for the user.
func (k *keeper) CheckRoom(ctx context.Context, s *session.Session) error {
	a := k.roomRequestOf(s)
	a.dryRun = true
	_, e := k.counter.reserve(ctx, a)
	if e != nil {
		return e
	}
	return nil
}

// reserveSingle reserves room for a file of KindSingle whose bytes arrive now, unless an earlier request has
// done so, and fails if the file is larger than the room. The caller must have claimed the session, so that no
// other request reserves or counts the file at the same time.
func (k *keeper) reserveSingle(ctx context.Context, s *session.Session) (*session.Session, error) {
	file := s.Arrival
	if k.counter != nil && !s.Reserved {
		var err error
		s, err = k.reserveArrival(ctx, s, file.Size)
		if err != nil {
			return nil, err
		}
	}

	file.MaxSize = s.Target.MaxSize
	if file.MaxSize > 0 && file.Size > file.MaxSize {
		return nil, refusal.TooLarge("Content-Length", file.MaxSize)
	}
	return s, nil
}

// reserveArrival reserves room for the bytes that a request sends now, and saves that. The file has size
// bytes, or an unknown number if size is less than 0.
func (k *keeper) reserveArrival(ctx context.Context, s *session.Session, size int64) (*session.Session, error) {
	a := k.roomRequestOf(s)
	a.keepOld = true
	if size >= 0 {
		// An empty file reserves one byte, because a MaxSize of 0 would mean that there is no limit.
		a.size = max(size, 1)
	}
	granted, e := k.counter.reserve(ctx, a)
	if e != nil {
		return nil, e
	}

	// Save the reservation, which may also limit the size.
	wasTriedBefore := s.Again
	s, err := k.Advance(ctx, s, nil, func(s *session.Session) {
		s.Reserved = true
		if granted > 0 {
			s.Target.MaxSize = granted
		}
	})
	if err != nil {
		return nil, err
	}
	// Advance returns a new session, and this call still ends the same upload.
	s.Again = wasTriedBefore
	return s, nil
}

// findOrigin sets f.origin to what is known of earlier calls that have tried to end s. If there may
// be any, the reservation in the ledger decides.
func (k *keeper) findOrigin(ctx context.Context, s *session.Session, f *File) error {
	if !s.Again {
		f.origin = originFirst
		return nil
	}
	if !s.Reserved || s.Kind == session.KindPartial {
		return nil
	}
	_, err := k.files.findReservation(ctx, f)
	return err
}

// Unreserve gives the room of a session back after the session could not be saved because of err.
func (k *keeper) Unreserve(ctx context.Context, s *session.Session, err error) {
	// After OutcomeUnknown, the session may have been saved, and then needs its reservation.
	if err != nil && !errors.Is(err, storage.OutcomeUnknown) {
		k.giveBack(ctx, s)
	}
}

// giveBack drops the reservation of a session that has stored no file.
func (k *keeper) giveBack(ctx context.Context, s *session.Session) {
	k.counter.giveBack(ctx, s.User, s.Reservation())
}
