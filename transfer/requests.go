package transfer

import "context"

// requests bounds what is under way at once.
type requests struct{ free chan struct{} }

func newRequests(n int) *requests {
	r := &requests{free: make(chan struct{}, n)}
	r.release(n)
	return r
}

// acquire waits for n; false where ctx is done first. One goroutine at a time
// calls it: two that wait for several each would wait for one another.
func (r *requests) acquire(ctx context.Context, n int) bool {
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

// more takes up to n that are free now.
func (r *requests) more(n int) (got int) {
	for ; got < n; got++ {
		select {
		case <-r.free:
		default:
			return got
		}
	}
	return got
}

func (r *requests) release(n int) {
	for range n {
		r.free <- struct{}{}
	}
}
