package bucketdir

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/internal/running"
)

// A process may open a limited number of files. Without a limit on concurrent calls, thousands of
// calls could each hold some files and wait for one more. So calls of all local buckets take turns.
// A call may open files only while it has a turn. All turns together open at most about half of the
// limit.
//
// A call may still fail to open a file, because the rest of the program or of the machine has too
// many files open. The function Retry then waits and tries again. If Retry gives up, the engine
// repeats the call.
//
// There are two kinds of turns: Calls and Bodies. A call that reads a caller's body takes a turn of
// Bodies, and no turn of Calls during the read. While the body is read, it may itself call local
// buckets. Its calls can take turns of Calls. But if they read other bodies, they need turns of
// Bodies, and all of these turns may be taken forever. So if no turn ends for a short time, a call
// continues without a turn of Bodies (see TakeOrPass).
//
// If the rest of the program has more than half of the limit open, many bodies that make calls may
// hold all other files. Then the calls that they make find none, and fail with RateLimited.

const (
	filesOfCall = 4 // files that a call has open at the same time, except in listings of deep folders
	filesOfBody = 2 // files that a call has open while it reads a body
	// If the process may open manyFiles or more, calls do not wait for turns.
	manyFiles = 1 << 16
	// stalled is how long TakeOrPass waits for a turn. If no turn has ended in this time, the call
	// continues without a turn.
	stalled = 100 * time.Millisecond
	// FileWait is the time for which a call waits to open a file, in addition to the retries of the
	// engine.
	FileWait = 30 * time.Second
	// MaxFileDelay is the longest time between two attempts to open a file.
	MaxFileDelay = 200 * time.Millisecond
)

var (
	// fileLimit is the number of files that the process may open. It is read at the start of the
	// program, after package os has raised it. 0 means that there is no limit.
	fileLimit, _ = localfile.OpenLimit()

	Calls  = newTurns(fileLimit, filesOfCall)
	Bodies = newTurns(fileLimit, filesOfBody)
)

// turns limits the number of calls that may open files at the same time. A nil *turns sets no
// limit.
type turns struct {
	slots chan struct{}
	// endCount is increased when a turn ends. It is also increased when TakeOrPass returns without a
	// turn.
	endCount atomic.Int64
}

// newTurns returns the turns for calls that open filesPerCall files each. The calls together may open a
// quarter of fileLimit, the number of files that the process may open.
func newTurns(fileLimit, filesPerCall uint64) *turns {
	if fileLimit == 0 || fileLimit >= manyFiles {
		return nil
	}
	maxCalls := max(1, fileLimit/4/filesPerCall)
	return &turns{slots: make(chan struct{}, maxCalls)}
}

// Take waits for a turn, a permission to open files, which the caller must end. It fails if ctx ends
// first. If t is nil, the number of turns is not limited.
func (t *turns) Take(ctx context.Context) error {
	if t == nil || t.tryTake() {
		return nil
	}
	select {
	case t.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return Interrupted(ctx)
	}
}

// tryTake takes a turn if one is free, and reports whether it did.
func (t *turns) tryTake() bool {
	select {
	case t.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

// TakeOrPass waits for a turn and reports whether the caller has one. If no turn of another call ends
// for the time stalled, perhaps because all of these calls wait for this one, it returns without a turn.
func (t *turns) TakeOrPass(ctx context.Context) (hasTurn bool, err error) {
	if t == nil {
		// The number of turns is not limited.
		return false, nil
	}
	if t.tryTake() {
		return true, nil
	}
	for {
		lastCount := t.endCount.Load()
		waitCtx, cancel := context.WithTimeout(ctx, stalled)
		err := t.Take(waitCtx)
		cancel()
		if err == nil {
			return true, nil
		}
		if ctx.Err() != nil {
			return false, Interrupted(ctx)
		}

		// Wait again if a turn has ended meanwhile, because then calls make progress. Otherwise pass, and
		// count that as an end, so that only one of several waiting calls passes.
		if t.endCount.CompareAndSwap(lastCount, lastCount+1) {
			return false, nil
		}
	}
}

// End ends a turn, which another call can then take.
func (t *turns) End() {
	if t == nil {
		return
	}
	t.endCount.Add(1)
	<-t.slots
}

// EndIf ends the turn of TakeOrPass, if ok is true.
func (t *turns) EndIf(ok bool) {
	if ok {
		t.End()
	}
}

// isTooManyFiles reports whether a call failed because the process or the system has too many files
// open, and may be repeated. A call whose outcome is unknown must not be repeated.
func isTooManyFiles(err error) bool {
	if errors.Is(err, storage.OutcomeUnknown) {
		return false
	}
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// A fileWaiter counts how long a call has waited to open a file.
type fileWaiter struct {
	delay, total time.Duration
}

// wait waits before another attempt to open a file. It returns false if the call has waited for
// FileWait altogether, or if ctx ends.
func (w *fileWaiter) wait(ctx context.Context) bool {
	if w.total >= FileWait {
		return false
	}
	w.delay = min(max(2*w.delay, time.Millisecond), MaxFileDelay)
	// Wait for a random time, so that waiting calls do not all try at once.
	delay := w.delay/2 + rand.N(w.delay)
	w.total += delay
	return running.Sleep(ctx, delay) == nil
}
