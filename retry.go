package storage

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage/internal/pace"
)

// A RetryPolicy sets how often and for how long a request is retried if it fails for a reason
// that passes. It holds for every request of a bucket: parts, pages, batches and copies too. The
// zero value is the default policy; a field that is 0 has its default.
type RetryPolicy struct {
	// Attempts bounds how often one request is made, the first attempt included. The default
	// is 5, and 12 for a request that the store throttles ([RateLimited]). 1 turns retries
	// off: every failure is returned at once. Then throttling does not slow the bucket, either.
	Attempts int
	// MaxDelay is the longest wait between two attempts, by default 20 s. The
	// first wait is up to 50 ms and doubles each time, with full jitter. After
	// [RateLimited] the first three are up to 1 s, and later ones double. A store
	// that asks for a longer wait (Retry-After) gets it, up to MaxDelay.
	MaxDelay time.Duration
	// MaxWait bounds the sum of the waits between the attempts of one request; the default is
	// one minute. The attempts themselves do not count. Nor does the time for which a request
	// is held back because the store throttles the bucket: only ctx bounds that.
	MaxWait time.Duration
	// Stall is how long a connection may move no byte in either direction before it counts as
	// dropped, by default 30 s. It holds for every request. While a large body is sent, it is
	// four times as long, because the system buffers a megabyte or more without reporting
	// progress; after the body it is twice as long. A server-side copy may take longer: on S3
	// a minute and one second for each 6 MiB of the object, at most 15 minutes.
	Stall time.Duration
}

const (
	defaultAttempts   = 5
	throttledAttempts = 12 // their waits are about a minute in the mean
	defaultMaxDelay   = 20 * time.Second
	defaultMaxWait    = time.Minute
	defaultStall      = 30 * time.Second
	firstDelay        = 50 * time.Millisecond
	throttledDelay    = time.Second
	throttledSame     = 3 // waits before they double: meanwhile the bucket as a whole has slowed down

	// The retry budget keeps a failing store from getting five times the requests: a retry
	// takes retryCost from it, a success returns one. A store that throttles gets fewer
	// requests by the pace.
	retryBudget = 500
	retryCost   = 5
)

// A retrier makes the decisions about retries; there is no other layer of retries.
type retrier struct {
	attempts  int
	throttled int // attempts of a request that the store throttles
	maxDelay  time.Duration
	maxWait   time.Duration
	stall     time.Duration
	budget    atomic.Int64
	pace      *pace.Pace
}

func newRetrier(p RetryPolicy, desc *Description) *retrier {
	r := &retrier{attempts: p.Attempts, throttled: p.Attempts, maxDelay: p.MaxDelay, maxWait: p.MaxWait, stall: p.Stall}
	if r.attempts < 1 {
		r.attempts, r.throttled = defaultAttempts, throttledAttempts
	}
	if r.maxDelay <= 0 {
		r.maxDelay = defaultMaxDelay
	}
	if r.maxWait <= 0 {
		r.maxWait = defaultMaxWait
	}
	if r.stall <= 0 {
		r.stall = defaultStall
	}
	r.budget.Store(retryBudget)
	r.pace = pace.New(r.attempts > 1, !desc.Local, r.maxDelay)
	return r
}

// ended records how an attempt went; e is nil if it succeeded.
func (r *retrier) ended(e *Error) {
	if e == nil && r.budget.Load() < retryBudget {
		r.budget.Add(1)
	}
	switch {
	case e == nil:
		r.pace.Succeeded()
	case e.Code == RateLimited:
		kept := *e // the caller changes its own
		r.pace.Refused(&kept)
	case !e.Retryable && e.Code != Canceled && e.Code != DeadlineExceeded:
		r.pace.Answered()
	}
}

// tries counts the attempts at one request that have failed.
type tries struct {
	failed    int
	throttled int // of failed
	waited    time.Duration
}

// allow reports whether another attempt may follow one that failed with e, and after which wait:
// full jitter below a bound that doubles, or as long as the store asks.
func (r *retrier) allow(t *tries, e *Error) (delay time.Duration, ok bool) {
	t.failed++
	most, first, doubled := r.attempts, firstDelay, t.failed-t.throttled-1
	throttled := e.Code == RateLimited
	if throttled {
		t.throttled++
		most, first, doubled = r.throttled, throttledDelay, max(0, t.throttled-throttledSame)
	}
	if t.failed >= most || t.waited >= r.maxWait {
		return 0, false
	}
	if !throttled && r.budget.Add(-retryCost) < 0 {
		r.budget.Add(retryCost)
		return 0, false
	}
	bound := r.maxDelay
	if doubled < 16 {
		bound = min(bound, first<<doubled)
	}
	delay = max(rand.N(bound), min(e.RetryAfter, r.maxDelay))
	delay = min(delay, r.maxWait-t.waited)
	t.waited += delay
	return delay, true
}
