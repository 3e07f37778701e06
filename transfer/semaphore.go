package transfer

import "context"

// semaphore bounds what is under way at once.
type semaphore struct{ free chan struct{} }

func newSemaphore(n int) *semaphore {
	r := &semaphore{free: make(chan struct{}, n)}
	r.release(n)
	return r
}

// acquire waits for n; false where ctx is done first. One goroutine at a time
// calls it: two that wait for several each would wait for one another.
func (r *semaphore) acquire(ctx context.Context, n int) bool {
	for have := range n {
		if ctx.Err() != nil {
			r.release(have)
			return false
		}
		select {
		case <-r.free:
		case <-ctx.Done():
			r.release(have)
			return false
		}
	}
	return true
}

// tryAcquire takes up to n that are free now.
func (r *semaphore) tryAcquire(n int) (got int) {
	for ; got < n; got++ {
		select {
		case <-r.free:
		default:
			return got
		}
	}
	return got
}

func (r *semaphore) release(n int) {
	for range n {
		r.free <- struct{}{}
	}
}
