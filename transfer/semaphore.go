package transfer

import "context"

// semaphore limits the number of parallel requests.
type semaphore struct{ free chan struct{} }

func newSemaphore(n int) *semaphore {
	r := &semaphore{free: make(chan struct{}, n)}
	r.release(n)
	return r
}

// acquire waits for n slots; it returns false if ctx is done first. Only one
// goroutine at a time may call it, because two could deadlock with some slots each.
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

// tryAcquire takes up to n slots that are free now.
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
