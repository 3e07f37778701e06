package tus

import (
	"errors"
	"fmt"
	"time"

	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
)

const (
	lockPoll = 150 * time.Millisecond
	// takeOverAfter is how long a newer request waits for the holder. It is longer than
	// pace.checkpoint. So if the client of the holder sends nothing, the holder has enough time to
	// store the bytes that it received.
	takeOverAfter = 5 * time.Second
	// deadAfter is the time after which a holder that has not written the state is considered dead.
	deadAfter = 2 * time.Minute
)

// errTaken returns the error if another request now receives the bytes of the upload.
func errTaken() *refusal.Error {
	return refusal.New("Upload-Offset", refusal.CodeLocked, "Another request continues this upload.")
}

// settledSession returns the session once no other request receives bytes for it or completes it. After
// takeOverAfter, it returns the session nevertheless, but fails if a request is still completing it.
func (t *Handler) settledSession(c *call) (*session.Session, error) {
	deadRevision := "" // revision at which no live request was using the session
	deadline := time.Now().Add(takeOverAfter)
	for {
		s, err := t.loadSession(c)
		if err != nil {
			return nil, err
		}
		if s.Tus.Holder == "" && s.Claim == "" {
			// No request uses the session.
			return s, nil
		}

		// Claims and holders have times by the clock of the Store, and the deadline has one by this process.
		now := t.Store.Now()
		isClaimed := t.Store.IsClaimedAt(s, now)
		isLate := !time.Now().Before(deadline)
		if isLate {
			if isClaimed {
				return nil, refusal.BeingCompleted()
			}
			return s, nil
		}

		isInUse := isClaimed || t.isHeldAt(s, now)
		if !isInUse {
			// The request that used the session has ended. It may have changed the state after this read,
			// so return the session only after a second read with the same revision.
			if s.Revision == deadRevision {
				return s, nil
			}
			deadRevision = s.Revision
			continue
		}

		// Interrupt the other request, and look again a little later.
		t.Store.Calls.Interrupt(s.Tus.Holder)
		if err := running.Sleep(c.Context(), lockPoll); err != nil {
			return nil, refusal.StoreFailed(err)
		}
	}
}

// isHeldAt reports whether a request that seems to be alive at this time receives bytes for the session.
func (t *Handler) isHeldAt(s *session.Session, now time.Time) bool {
	holder := s.Tus.Holder
	return holder != "" && now.Sub(s.Tus.Held) < deadAfter && !t.Store.Calls.Ended(holder)
}

// acquire makes this request the holder of the session, unless all bytes have arrived already. The bytes
// of the request begin at offset, and size is the length of the file that it announces, or -1.
func (t *Handler) acquire(c *call, offset, size int64) (*session.Session, error) {
	for range session.MaxConflicts {
		s, err := t.settledSession(c)
		if err != nil {
			return nil, err
		}
		if err := t.checkPatch(s, offset, size, c.ContentLength); err != nil {
			return nil, err
		}
		if s.Phase != session.PhaseOpen {
			// All bytes have arrived.
			return s, nil
		}

		// Become the holder, unless another request changes the session first.
		if size >= 0 {
			s.Size = size
		}
		s.Tus.Holder = c.name
		s.Tus.Held = t.Store.Now()
		err = t.Store.Save(c.Context(), s)
		isConflict := errors.Is(err, session.ErrConflict)
		if !isConflict {
			return s, err
		}
	}
	return nil, errTaken()
}

// checkPatch fails if a request with length bytes (-1 if that is not known) cannot continue a session at this
// offset. The request may announce the size of the file; otherwise size is -1.
func (t *Handler) checkPatch(s *session.Session, offset, size, length int64) error {
	if s.Kind == session.KindFinal {
		return refusal.New("Upload-Concat", refusal.CodeNotAllowed, "A joined file takes no bytes.")
	}
	if offset != s.Tus.Offset {
		return wrongOffset(s, offset)
	}

	// The file has the size that the request announces or, if it announces none, at most s.Limit bytes.
	maxSize := s.Limit()
	if size >= 0 {
		if err := checkSize(s, size); err != nil {
			return err
		}
		maxSize = size
	}
	if maxSize >= 0 && length > maxSize-offset {
		return refusal.New("Content-Length", refusal.CodeTooLarge, "The request has more bytes than the file.")
	}
	return nil
}

// wrongOffset returns the error for a request whose bytes begin at another offset than that of the session.
func wrongOffset(s *session.Session, offset int64) *refusal.Error {
	offsets := &refusal.Offsets{Expected: s.Tus.Offset, Provided: offset}
	if s.Phase == session.PhaseDone {
		err := s.Completed()
		err.Offsets = offsets
		return err
	}

	message := fmt.Sprintf("The upload continues at byte %d.", s.Tus.Offset)
	err := refusal.New("Upload-Offset", refusal.CodeOffsetMismatch, message)
	err.Problem = "mismatching-upload-offset"
	err.Offsets = offsets
	return err
}

// checkSize fails if the file of a session cannot have the size that a request announces.
func checkSize(s *session.Session, size int64) error {
	if s.Size >= 0 && size != s.Size {
		return inconsistentLength()
	}
	if size < s.Tus.Offset {
		return refusal.Invalid("Upload-Length", "More bytes than that have arrived.")
	}
	if s.Target.MaxSize > 0 && size > s.Target.MaxSize {
		return refusal.TooLarge("Upload-Length", s.Target.MaxSize)
	}
	return nil
}
