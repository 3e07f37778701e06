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
// most about half of these: with thousands of calls at once, each would otherwise have some files and wait for one
// more. If there is no file nevertheless, because the rest of the program or the machine has them, a call
// waits in retry, and the core repeats it.
//
// A call that reads a caller's body has turns of its own while it does so, because the body may make other calls. If
// none of these has ended for a moment, one that waits goes ahead without a turn.

const (
	filesOfCall = 4       // that a call has open at once, but for listings of deep folders
	filesOfBody = 2       // that a call has open while it reads a body
	manyFiles   = 1 << 16 // with so many, calls take no turns
	// stalled is how long no body has ended before a call goes ahead without a turn.
	stalled = 100 * time.Millisecond
	// fileWait is how long a call waits for a file, beside the repetitions of the core.
	fileWait = 30 * time.Second
	// maxFileDelay is the longest time between two attempts to open one.
	maxFileDelay = 200 * time.Millisecond
)

var (
	// fileLimit is the limit at the start of the program, to which package os has raised it; 0 without one.
	fileLimit, _ = openfiles.Limit()

	calls  = newTurns(fileLimit, filesOfCall)
	bodies = newTurns(fileLimit, filesOfBody)
)

// turns are the calls that may open files at once; nil for any number.
type turns struct {
	taken chan struct{}
	ended atomic.Int64 // how many have ended, or were passed
}

// newTurns returns turns that have a quarter of the files together, and so many each.
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

// takeOrPass is take that also returns if no turn has ended for a moment. taken reports whether it got one.
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

// wait waits before another attempt. It returns false if there is to be none.
func (w *fileWaiter) wait(ctx context.Context) bool {
	if w.waited >= fileWait {
		return false
	}
	w.next = min(max(2*w.next, time.Millisecond), maxFileDelay)
	delay := w.next/2 + rand.N(w.next)
	w.waited += delay
	return ctxtime.Sleep(ctx, delay) == nil
}
