package uploads

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/ledger"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
)

// Reserve reserves room for a new session in the allowance of its user, in place of the reservations named
// in replaces. A file of unknown size may then have no more bytes than were reserved.
func (k *keeper) Reserve(ctx context.Context, s *session.Session, replaces ...string) error {
	request := k.roomRequestOf(s)
	request.replaces = replaces
	granted, err := k.counter.reserve(ctx, request)
	if err != nil {
		return err
	}
	s.Reserved = k.counter != nil
	if s.Reserved && s.Size < 0 { // -1 means unknown
		s.Target.MaxSize = granted
	}
	return nil
}

// roomRequestOf returns a request for room for the file of a session, with the entry that the ledger of the user
// will have for it.
func (k *keeper) roomRequestOf(s *session.Session) roomRequest {
	entry := ledger.Entry{Files: 1, Session: s.Dir, Run: s.RunID()}
	if k.counter != nil {
		// Keep the entry alive until the caller has saved the session.
		entry.Until = k.counter.leaseUntil()
	}

	isPartial := s.Kind == session.KindPartial
	if isPartial {
		// It becomes a file only when it is joined with others.
		entry.Files = 0
	}
	// Files in pieces and joined files get their key only when they are made.
	isKeyKnown := !isPartial && s.Pieces == nil && s.Kind != session.KindFinal
	if isKeyKnown {
		entry.Stem = k.setup.stem(s)
	}
	return roomRequest{
		user:    userOf(s),
		name:    s.Reservation(),
		size:    s.Size,
		maxSize: s.Target.MaxSize,
		entry:   entry,
	}
}

// CheckRoom fails if the user has no room for another file. It reserves nothing, because a GET must
// not change anything for the user.
func (k *keeper) CheckRoom(ctx context.Context, s *session.Session) error {
	request := k.roomRequestOf(s)
	request.dryRun = true
	_, err := k.counter.reserve(ctx, request)
	return err
}

// reserveSingle reserves room for a file of KindSingle whose bytes arrive now, unless an earlier request has
// done so, and fails if the file is larger than the room. The caller must have claimed the session, so that no
// other request reserves or counts the file at the same time.
func (k *keeper) reserveSingle(ctx context.Context, s *session.Session) (*session.Session, error) {
	arrival := s.Arrival // the file whose bytes arrive
	if k.counter != nil && !s.Reserved {
		var err error
		s, err = k.reserveArrival(ctx, s, arrival.Size)
		if err != nil {
			return nil, err
		}
	}

	// The reservation may have lowered the limit, which the caller enforces for a file of unknown size.
	arrival.MaxSize = s.Target.MaxSize
	if arrival.MaxSize > 0 && arrival.Size > arrival.MaxSize {
		return nil, refusal.TooLarge("Content-Length", arrival.MaxSize)
	}
	return s, nil
}

// reserveArrival reserves room for the bytes that a request sends now, and saves that. The file has size
// bytes, or an unknown number if size is less than 0.
func (k *keeper) reserveArrival(ctx context.Context, s *session.Session, size int64) (*session.Session, error) {
	// An earlier request that was killed before it saved the session may have a reservation, which stays.
	request := k.roomRequestOf(s)
	request.keepOld = true
	if size >= 0 {
		// An empty file reserves one byte, because a MaxSize of 0 would mean that there is no limit.
		request.size = max(size, 1)
	}
	granted, err := k.counter.reserve(ctx, request)
	if err != nil {
		return nil, err
	}

	// Save the reservation, which may also limit the size.
	wasTriedBefore := s.Again
	s, err = k.Advance(ctx, s, func(s *session.Session) {
		s.Reserved = true
		if granted > 0 {
			s.Target.MaxSize = granted
		}
	})
	if err != nil {
		return nil, err
	}
	// Advance may have read the session again, which lacks this field, because it is not stored.
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
	_, err := k.files.loadReservation(ctx, f)
	return err
}

// Unreserve releases the room of a session after the session could not be saved because of err.
func (k *keeper) Unreserve(ctx context.Context, s *session.Session, err error) {
	// After OutcomeUnknown, the session may have been saved, and then needs its reservation.
	if err != nil && !errors.Is(err, storage.OutcomeUnknown) {
		k.releaseRoom(ctx, s)
	}
}

// releaseRoom drops the reservation of a session that has stored no file.
func (k *keeper) releaseRoom(ctx context.Context, s *session.Session) {
	k.counter.releaseRoom(ctx, s.User, s.Reservation())
}
