package storage

import (
	"time"

	"github.com/omnibucket/storage/internal/backoff"
	"github.com/omnibucket/storage/internal/pace"
	"github.com/omnibucket/storage/internal/unexported"
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

const defaultStall = 30 * time.Second

// A retrier makes the decisions about retries; there is no other layer of retries.
type retrier struct {
	policy *backoff.Policy
	stall  time.Duration
	pace   *pace.Pace
}

func newRetrier(p unexported.Retry, desc *Description) *retrier {
	r := &retrier{policy: backoff.New(p.Attempts, p.MaxDelay, p.MaxWait), stall: p.Stall}
	if r.stall <= 0 {
		r.stall = defaultStall
	}
	r.pace = pace.New(r.policy.Attempts > 1, !desc.Local, r.policy.MaxDelay)
	return r
}

// ended records how an attempt went; e is nil if it succeeded.
func (r *retrier) ended(e *Error) {
	switch {
	case e == nil:
		r.policy.Succeeded()
		r.pace.Succeeded()
	case e.Code == RateLimited:
		kept := *e // the caller changes its own
		r.pace.Refused(&kept)
	case !e.Retryable && e.Code != Canceled && e.Code != DeadlineExceeded:
		r.pace.Answered()
	}
}

// allow reports whether another attempt may follow one that failed with e, and after which wait.
func (r *retrier) allow(t *backoff.Tries, e *Error) (delay time.Duration, ok bool) {
	return r.policy.Allow(t, e.Code == RateLimited, e.RetryAfter)
}
