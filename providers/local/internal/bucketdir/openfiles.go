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
// calls could each hold some files and wait for one more. So the calls of all local buckets share
// semaphores. A call may open files only while it has a slot of one. The holders of all slots together
// open at most about half of the limit.
//
// A call may still fail to open a file, because the rest of the program or of the machine has too
// many files open. The function Retry then waits and tries again. If Retry gives up, the engine
// repeats the call.
//
// There are two semaphores: Calls and Bodies. A call that reads a caller's body acquires a slot of
// Bodies, and none of Calls during the read. While the body is read, it may itself call local
// buckets. Its calls can acquire slots of Calls. But if they read other bodies, they need slots of
// Bodies, and all of these slots may be held forever. So if no slot is released for a short time, a
// call continues without a slot of Bodies (see AcquireOrPass).
//
// If the rest of the program has more than half of the limit open, many bodies that make calls may
// hold all other files. Then the calls that they make find none, and fail with RateLimited.

const (
	filesOfCall = 4 // files that a call has open at the same time, except in listings of deep folders
	filesOfBody = 2 // files that a call has open while it reads a body
	// If the process may open manyFiles or more, calls do not wait for slots.
	manyFiles = 1 << 16
	// stalled is how long AcquireOrPass waits for a slot. If no slot was released in this time, the call
	// continues without one.
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

	Calls  = newSemaphore(fileLimit, filesOfCall)
	Bodies = newSemaphore(fileLimit, filesOfBody)
)

// A semaphore limits the number of calls that may open files at the same time. A nil *semaphore sets no
// limit.
type semaphore struct {
	slots chan struct{}
	// releases counts the released slots, and the calls of AcquireOrPass that returned without a slot.
	releases atomic.Int64
}

// newSemaphore returns a semaphore for calls that open filesPerCall files each. The calls together may
// open a quarter of fileLimit, the number of files that the process may open.
func newSemaphore(fileLimit, filesPerCall uint64) *semaphore {
	if fileLimit == 0 || fileLimit >= manyFiles {
		return nil
	}
	maxCalls := max(1, fileLimit/4/filesPerCall)
	return &semaphore{slots: make(chan struct{}, maxCalls)}
}

// Acquire waits for a slot, which the caller must release. It fails if ctx ends first. If s is nil, the
// number of slots is not limited.
func (s *semaphore) Acquire(ctx context.Context) error {
	if s == nil || s.tryAcquire() {
		return nil
	}
	select {
	case s.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ContextError(ctx)
	}
}

// tryAcquire acquires a slot if one is free, and reports whether it did.
func (s *semaphore) tryAcquire() bool {
	select {
	case s.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

// AcquireOrPass waits for a slot and reports whether the caller has one. If no slot is released for the
// time stalled, all holders may be waiting for this call. It then returns false, so that the caller
// continues without a slot.
func (s *semaphore) AcquireOrPass(ctx context.Context) (hasSlot bool, err error) {
	if s == nil {
		// The number of slots is not limited.
		return false, nil
	}
	if s.tryAcquire() {
		return true, nil
	}
	for {
		lastReleases := s.releases.Load()
		waitCtx, cancel := context.WithTimeout(ctx, stalled)
		err := s.Acquire(waitCtx)
		cancel()
		if err == nil {
			return true, nil
		}
		if ctx.Err() != nil {
			return false, ContextError(ctx)
		}

		// If a slot was released meanwhile, the other calls make progress, so wait again. Otherwise count this
		// call as a release, so that only one of several waiting calls continues.
		if s.releases.CompareAndSwap(lastReleases, lastReleases+1) {
			return false, nil
		}
	}
}

// Release releases a slot, which another call can then acquire.
func (s *semaphore) Release() {
	if s == nil {
		return
	}
	s.releases.Add(1)
	<-s.slots
}

// ReleaseIf releases the slot of AcquireOrPass, if hasSlot is true.
func (s *semaphore) ReleaseIf(hasSlot bool) {
	if hasSlot {
		s.Release()
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
