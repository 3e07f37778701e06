package local

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/ctxtime"
	"github.com/omnibucket/storage/internal/openfiles"
)

// A process may open a limited number of files. Calls of all local buckets take turns, so that together they open at
// most about half of that number. Otherwise, with thousands of concurrent calls, each would have some files and wait
// for one more. If a call still cannot open a file, because the rest of the program or of the machine has too many
// open, it waits in retry, and the core repeats it.
//
// A call that reads a caller's body has turns of its own while it does so, because the body may make other calls. If
// none of these turns has ended for a moment, a waiting call continues without one.

const (
	filesOfCall = 4       // files that a call has open at once, except for listings of deep folders
	filesOfBody = 2       // files that a call has open while it reads a body
	manyFiles   = 1 << 16 // with so many files, calls take no turns
	// stalled is the time after which a call continues without a turn if no body has ended.
	stalled = 100 * time.Millisecond
	// fileWait is how long a call waits for a file, in addition to the retries of the core.
	fileWait = 30 * time.Second
	// maxFileDelay is the longest time between two attempts to open a file.
	maxFileDelay = 200 * time.Millisecond
)

var (
	// fileLimit is the limit of open files at the start of the program, to which package os has raised it;
	// 0 means no limit.
	fileLimit, _ = openfiles.Limit()

	calls  = newTurns(fileLimit, filesOfCall)
	bodies = newTurns(fileLimit, filesOfBody)
)

// turns limit the calls that may open files at once. A nil *turns sets no limit.
type turns struct {
	taken chan struct{}
	ended atomic.Int64 // number of turns that have ended, and of calls that continued without one
}

// newTurns returns turns for calls that each open up to each files, and together a quarter of
// files.
func newTurns(files, each uint64) *turns {
	if files == 0 || files >= manyFiles {
		return nil
	}
	return &turns{taken: make(chan struct{}, max(1, files/4/each))}
}

// take waits for a turn, or until ctx is done.
func (t *turns) take(ctx context.Context) error {
	if t == nil || t.tryTake() {
		return nil
	}
	select {
	case t.taken <- struct{}{}:
		return nil
	case <-ctx.Done():
		return interrupted(ctx)
	}
}

func (t *turns) tryTake() bool {
	select {
	case t.taken <- struct{}{}:
		return true
	default:
		return false
	}
}

// takeOrPass is like take, but also returns if no turn has ended for a moment. taken reports whether it got
// a turn.
func (t *turns) takeOrPass(ctx context.Context) (taken bool, err error) {
	if t == nil || t.tryTake() {
		return t != nil, nil
	}
	for {
		last := t.ended.Load()
		patience, cancel := context.WithTimeout(ctx, stalled)
		err := t.take(patience)
		cancel()
		switch {
		case err == nil:
			return true, nil
		case ctx.Err() != nil:
			return false, interrupted(ctx)
		case t.ended.CompareAndSwap(last, last+1):
			return false, nil
		}
	}
}

// end ends a turn.
func (t *turns) end() {
	if t == nil {
		return
	}
	t.ended.Add(1)
	<-t.taken
}

// endIf ends a turn that takeOrPass has taken.
func (t *turns) endIf(taken bool) {
	if taken {
		t.end()
	}
}

// noFile reports whether a call failed because the process or the system had no file left to open.
func noFile(err error) bool {
	return (errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)) && !errors.Is(err, storage.OutcomeUnknown)
}

// A fileWaiter is one call that waits for a file.
type fileWaiter struct {
	next, waited time.Duration
}

// wait waits before another attempt. It returns false if there must be no further attempt.
func (w *fileWaiter) wait(ctx context.Context) bool {
	if w.waited >= fileWait {
		return false
	}
	w.next = min(max(2*w.next, time.Millisecond), maxFileDelay)
	delay := w.next/2 + rand.N(w.next)
	w.waited += delay
	return ctxtime.Sleep(ctx, delay) == nil
}
