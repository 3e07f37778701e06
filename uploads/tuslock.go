package uploads

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/omnibucket/storage/internal/ctxtime"
)

// One request at a time receives the bytes of an upload: the holder, whose name is in the
// state. A newer request ends an older one, because the older one is usually that of a
// connection that is dead already. It waits until the holder has stored what it received.
// If the holder is in another process and its client still sends, or if its process is
// gone, the newer request replaces it: then the next write of the old holder fails.

const (
	lockPoll = 150 * time.Millisecond
	// takeOverAfter is longer than pace.checkpoint: by then, a holder whose client sends
	// nothing has stored everything.
	takeOverAfter = 5 * time.Second
	// deadAfter is the longest time without a write by a holder that lives.
	deadAfter = 2 * time.Minute
)

// errTaken is returned if another request receives the bytes now.
func errTaken() *Error {
	return refuse("Upload-Offset", Locked, "Another request continues this upload.")
}

// A calls has the calls of this process that may hold or claim a session, by name. All names begin with the name of
// the calls. So it is known which calls have ended, even if a call could not end its hold because the store failed.
type calls struct {
	process string
	running sync.Map // functions that interrupt the calls, by name
}

// enter names a call until leave. interrupted is closed if another call wants what it holds.
func (c *calls) enter() (name string, interrupted <-chan struct{}, leave func()) {
	ctx, cancel := context.WithCancel(context.Background())
	name = c.process + rand.Text()
	c.running.Store(name, cancel)
	return name, ctx.Done(), func() {
		cancel()
		c.running.Delete(name)
	}
}

func (c *calls) interrupt(name string) {
	if cancel, ok := c.running.Load(name); ok {
		cancel.(context.CancelFunc)()
	}
}

// ended reports whether this is the name of a call of this process that has ended.
func (c *calls) ended(name string) bool {
	_, runs := c.running.Load(name)
	return !runs && strings.HasPrefix(name, c.process)
}

// settledTus reads the session when no request receives its bytes or completes it. After takeOverAfter it
// returns the session anyway, or an error if it is being completed.
func (t *tus) settledTus(c *call) (*session, error) {
	keeper := t.handler.keeper
	var seen string // the revision that was seen last
	for deadline := time.Now().Add(takeOverAfter); ; {
		s, err := t.loadTus(c)
		if err != nil {
			return nil, err
		}
		now := t.handler.config.Now()
		held := s.Tus.Holder != "" && now.Sub(s.Tus.Held) < deadAfter && !keeper.calls.ended(s.Tus.Holder)
		claimed := keeper.claimedAt(s, now)
		switch late := !time.Now().Before(deadline); {
		case late && claimed:
			return nil, beingCompleted()
		case late, s.Tus.Holder == "" && s.Claim == "", !held && !claimed && s.revision == seen:
			return s, nil
		case !held && !claimed: // the call has ended, perhaps with a change of the state after this read
			seen = s.revision
			continue
		}
		keeper.calls.interrupt(s.Tus.Holder)
		if err := ctxtime.Sleep(c.Context(), lockPoll); err != nil {
			return nil, storeFailed(err)
		}
	}
}

// acquire makes this request the holder. offset is where its bytes begin, and size is the
// length that it declares, or -1. If all bytes have arrived, there is no holder.
func (t *tus) acquire(c *call, offset, size int64) (*session, error) {
	for range maxConflicts {
		s, err := t.settledTus(c)
		if err != nil {
			return nil, err
		}
		if err := t.checkPatch(s, offset, size, c.ContentLength); err != nil {
			return nil, err
		}
		if s.Phase != phaseOpen {
			return s, nil
		}
		if size >= 0 {
			s.Size = size
		}
		s.Tus.Holder, s.Tus.Held = c.name, t.handler.config.Now()
		if err := t.handler.keeper.save(c.Context(), s); !errors.Is(err, errConflict) {
			return s, err
		}
	}
	return nil, errTaken()
}

func (t *tus) checkPatch(s *session, offset, size, length int64) error {
	switch {
	case s.Kind == kindFinal:
		return refuse("Upload-Concat", NotAllowed, "A joined file takes no bytes.")
	case offset != s.Tus.Offset:
		e := refuse("Upload-Offset", OffsetMismatch, fmt.Sprintf("The upload continues at byte %d.", s.Tus.Offset))
		e.problem = "mismatching-upload-offset"
		if s.Phase == phaseDone {
			e = s.completed()
		}
		e.offsets = &[2]int64{s.Tus.Offset, offset}
		return e
	case size >= 0 && s.Size >= 0 && size != s.Size:
		return inconsistentLength()
	case size >= 0 && size < s.Tus.Offset:
		return invalid("Upload-Length", "More bytes than that have arrived.")
	case s.Target.MaxSize > 0 && size > s.Target.MaxSize:
		return tooLarge("Upload-Length", s.Target.MaxSize)
	}
	most := size
	if most < 0 {
		most = s.limit()
	}
	if most >= 0 && length > most-offset {
		return refuse("Content-Length", TooLarge, "The request has more bytes than the file.")
	}
	return nil
}
