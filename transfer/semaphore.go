package transfer

import (
	"context"

	"github.com/omnibucket/storage/internal/running"
)

const (
	beginConcurrency = 16  // number of parallel requests in the beginning, without WithConcurrency
	mostConcurrency  = 128 // largest number of parallel requests, without WithConcurrency
	// requestBytes is added to the bytes of each request when throughputs are compared. Without it,
	// small files would seem slow.
	requestBytes = 64 << 10
)

// A semaphore limits the number of parallel requests of a job. Each request needs one slot.
type semaphore struct{ limit *running.Limit }

// newSemaphore returns a semaphore with n slots. If n is 0, the number of slots grows for as long as
// that increases the throughput.
func newSemaphore(n int) *semaphore {
	if n == 0 {
		return &semaphore{running.GrowingLimit(beginConcurrency, mostConcurrency, 0)}
	}
	return &semaphore{running.FixedLimit(n)}
}

// size returns the current number of slots.
func (s *semaphore) size() int { return s.limit.Current() }

// acquire waits for n slots, and returns false if ctx is done first. Only one goroutine at a time may
// call it, because two could each hold some slots and wait for the other forever.
func (s *semaphore) acquire(ctx context.Context, n int) bool {
	for acquired := range n {
		if ctx.Err() != nil || s.limit.Acquire(ctx) != nil {
			s.release(acquired)
			return false
		}
	}
	return true
}

// tryAcquire takes up to n slots without waiting, and returns how many it took.
func (s *semaphore) tryAcquire(n int) (acquired int) {
	for acquired < n && s.limit.TryAcquire() {
		acquired++
	}
	return acquired
}

// ended records that n requests have ended, which together transferred one file with this number of
// bytes.
func (s *semaphore) ended(bytes int64, n int) {
	s.limit.Moved(bytes + int64(n)*requestBytes)
	for range n {
		s.limit.Ended()
	}
}

func (s *semaphore) release(n int) {
	for range n {
		s.limit.Release()
	}
}
