package transfer

import (
	"context"

	"github.com/omnibucket/storage/internal/concurrency"
)

const (
	beginConcurrency = 16  // the number to begin with, without WithConcurrency
	mostConcurrency  = 128 // the greatest number, without WithConcurrency
	// requestBytes is the number of bytes that a request for a small file counts as beside the
	// bytes of large files, when two numbers of parallel requests are compared.
	requestBytes = 64 << 10
)

// semaphore limits the number of parallel requests.
type semaphore struct{ limit *concurrency.Limit }

// newSemaphore returns a semaphore of n slots; with 0 it finds the number itself.
func newSemaphore(n int) *semaphore {
	if n == 0 {
		return &semaphore{concurrency.Growing(beginConcurrency, mostConcurrency, 0)}
	}
	return &semaphore{concurrency.Fixed(n)}
}

// size returns how many slots there are now.
func (r *semaphore) size() int { return r.limit.Current() }

// acquire waits for n slots; it returns false if ctx is done first. Only one
// goroutine at a time may call it, because two could deadlock with some slots each.
func (r *semaphore) acquire(ctx context.Context, n int) bool {
	for have := range n {
		if ctx.Err() != nil || r.limit.Acquire(ctx) != nil {
			r.release(have)
			return false
		}
	}
	return true
}

// tryAcquire takes up to n slots that are free now.
func (r *semaphore) tryAcquire(n int) (got int) {
	for got < n && r.limit.TryAcquire() {
		got++
	}
	return got
}

// ended counts a file whose bytes were transferred with n slots.
func (r *semaphore) ended(bytes int64, n int) {
	r.limit.Moved(bytes + int64(n)*requestBytes)
	for range n {
		r.limit.Ended()
	}
}

func (r *semaphore) release(n int) {
	for range n {
		r.limit.Release()
	}
}
