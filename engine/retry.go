package engine

import (
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/backoff"
	"github.com/omnibucket/storage/internal/pace"
	"github.com/omnibucket/storage/internal/unexported"
)

const defaultStall = 30 * time.Second

// A retrier makes the decisions about retries; there is no other layer of retries.
type retrier struct {
	policy *backoff.Policy
	stall  time.Duration
	pace   *pace.Pace
}

func newRetrier(p unexported.Retry, desc *driver.Description) *retrier {
	r := &retrier{policy: backoff.New(p.Attempts, p.MaxDelay, p.MaxWait), stall: p.Stall}
	if r.stall <= 0 {
		r.stall = defaultStall
	}
	r.pace = pace.New(r.policy.Attempts > 1, !desc.Local, r.policy.MaxDelay)
	return r
}

// ended records how an attempt went; e is nil if it succeeded.
func (r *retrier) ended(e *storage.Error) {
	switch {
	case e == nil:
		r.policy.Succeeded()
		r.pace.Succeeded()
	case e.Code == storage.RateLimited:
		kept := *e // the caller changes its own
		r.pace.Refused(&kept)
	case !e.Retryable && e.Code != storage.Canceled && e.Code != storage.DeadlineExceeded:
		r.pace.Answered()
	}
}

// allow reports whether another attempt may follow one that failed with e, and after which wait.
func (r *retrier) allow(t *backoff.Tries, e *storage.Error) (delay time.Duration, ok bool) {
	return r.policy.Allow(t, e.Code == storage.RateLimited, e.RetryAfter)
}
