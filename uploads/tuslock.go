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

// Only one request at a time receives the bytes of an upload. This request is called the holder,
// and the state contains its name. A newer request ends the holder, because the connection of the
// holder is usually dead. The newer request waits until the holder has stored the bytes that it
// received.
//
// The newer request cannot end a holder in another process. If the client of that holder still
// sends, or if the other process was killed, the newer request would wait too long. After
// takeOverAfter, the newer request becomes the holder. The next write of the old holder then fails.

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
func errTaken() *Error {
	return refuse("Upload-Offset", Locked, "Another request continues this upload.")
}

// A callRegistry has the running calls of this process that may hold or claim a session. The name
// of each call begins with the name of its process. If a call ends but cannot save its end, the
// state of the session still names the call. The method callRegistry.ended detects this case.
type callRegistry struct {
	process string
	running sync.Map // maps the name of each running call to a function that interrupts it
}

// enter registers a call as running, and returns a name for the call. The returned function removes
// the call from the registry. The returned channel is closed if another call wants the session that
// this call holds.
func (c *callRegistry) enter() (name string, interrupted <-chan struct{}, leave func()) {
	ctx, cancel := context.WithCancel(context.Background())
	name = c.process + rand.Text()
	c.running.Store(name, cancel)
	return name, ctx.Done(), func() {
		cancel()
		c.running.Delete(name)
	}
}

func (c *callRegistry) interrupt(name string) {
	if cancel, ok := c.running.Load(name); ok {
		cancel.(context.CancelFunc)()
	}
}

// ended reports whether name is a call of this process that is no longer running.
func (c *callRegistry) ended(name string) bool {
	_, runs := c.running.Load(name)
	return !runs && strings.HasPrefix(name, c.process)
}

// settledTus waits until no request receives bytes for the session, and no request completes it.
// Then settledTus returns the session. The wait ends after takeOverAfter. If a request still
// receives bytes at that time, settledTus returns the session nevertheless. If a request is still
// completing the upload, settledTus fails.
func (t *tus) settledTus(c *call) (*session, error) {
	keeper := t.handler.keeper
	var seen string // revision at the previous read
	for deadline := time.Now().Add(takeOverAfter); ; {
		s, err := t.loadTus(c)
		if err != nil {
			return nil, err
		}
		now := t.handler.config.Now()
		isHeld := s.Tus.Holder != "" && now.Sub(s.Tus.Held) < deadAfter && !keeper.calls.ended(s.Tus.Holder)
		claimed := keeper.claimedAt(s, now)
		late := !time.Now().Before(deadline)
		if late && claimed {
			return nil, beingCompleted()
		}
		if late || s.Tus.Holder == "" && s.Claim == "" || !isHeld && !claimed && s.revision == seen {
			return s, nil
		}
		// The request that held or claimed the session has ended. It may have changed the state
		// after this read, so read the state again.
		if !isHeld && !claimed {
			seen = s.revision
			continue
		}
		keeper.calls.interrupt(s.Tus.Holder)
		if err := ctxtime.Sleep(c.Context(), lockPoll); err != nil {
			return nil, storeFailed(err)
		}
	}
}

// acquire makes this request the holder of the session. offset is where the bytes of
// the request begin. size is the length of the file that the request announces, or -1.
// If all bytes have arrived already, acquire returns the session without a holder.
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
	if s.Kind == kindFinal {
		return refuse("Upload-Concat", NotAllowed, "A joined file takes no bytes.")
	}
	if offset != s.Tus.Offset {
		e := refuse("Upload-Offset", OffsetMismatch, fmt.Sprintf("The upload continues at byte %d.", s.Tus.Offset))
		e.problem = "mismatching-upload-offset"
		if s.Phase == phaseDone {
			e = s.completed()
		}
		e.offsets = &[2]int64{s.Tus.Offset, offset}
		return e
	}
	if size >= 0 && s.Size >= 0 && size != s.Size {
		return inconsistentLength()
	}
	if size >= 0 && size < s.Tus.Offset {
		return invalid("Upload-Length", "More bytes than that have arrived.")
	}
	if s.Target.MaxSize > 0 && size > s.Target.MaxSize {
		return tooLarge("Upload-Length", s.Target.MaxSize)
	}
	maximum := size
	if maximum < 0 {
		maximum = s.limit()
	}
	if maximum >= 0 && length > maximum-offset {
		return refuse("Content-Length", TooLarge, "The request has more bytes than the file.")
	}
	return nil
}
