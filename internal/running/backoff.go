package running

import (
	"sync/atomic"
	"time"
)

const (
	defaultAttempts   = 5
	throttledAttempts = 12 // attempts at a throttled request; their waits add up to about a minute on average
	defaultMaxDelay   = 20 * time.Second
	defaultMaxWait    = time.Minute
	throttledDelay    = time.Second
	throttledSame     = 3 // number of throttled attempts before the wait begins to double

	// The retry budget protects a failing store, which would otherwise get up to five times as many
	// requests. Each retry costs retryCost, and each success earns 1, up to retryBudget. Retries of
	// throttled requests cost nothing.
	retryBudget = 500
	retryCost   = 5
)

// firstDelay is the upper limit of the wait before the first retry, unless the store throttles.
const firstDelay = 50 * time.Millisecond

// maxDoublings is how often [ConflictDelay] doubles its upper limit.
const maxDoublings = 5

// ConflictDelay returns the wait of a writer before it tries again, because another writer was faster.
// conflicts is how often that has happened to it before.
func ConflictDelay(conflicts int) time.Duration {
	return Jitter(firstDelay << min(conflicts, maxDoublings))
}

// A Policy limits the retries of all requests of a bucket. These requests share one retry budget.
type Policy struct {
	Attempts int           // largest number of attempts at one request, including the first
	MaxDelay time.Duration // longest wait

	throttled int           // largest number of attempts at a request that the store throttles
	maxWait   time.Duration // largest sum of the waits of one request
	budget    atomic.Int64
}

// NewPolicy returns a Policy with these limits. An argument that is zero or negative selects a
// default.
func NewPolicy(attempts int, maxDelay, maxWait time.Duration) *Policy {
	p := &Policy{Attempts: attempts, throttled: attempts, MaxDelay: maxDelay, maxWait: maxWait}
	if p.Attempts < 1 {
		// By default, a throttled request gets more attempts, because the store asks for patience.
		p.Attempts = defaultAttempts
		p.throttled = throttledAttempts
	}
	if p.MaxDelay <= 0 {
		p.MaxDelay = defaultMaxDelay
	}
	if p.maxWait <= 0 {
		p.maxWait = defaultMaxWait
	}
	p.budget.Store(retryBudget) // full at first
	return p
}

// NewDefaultPolicy returns a Policy with the default limits.
func NewDefaultPolicy() *Policy { return NewPolicy(0, 0, 0) }

// Succeeded adds 1 to the retry budget, up to its maximum. The caller calls it after each
// successful request.
func (p *Policy) Succeeded() {
	if p.budget.Load() < retryBudget {
		p.budget.Add(1)
	}
}

// Tries holds the state of one request: its failed attempts and the time that it waited between
// them.
type Tries struct {
	Failed    int
	Free      bool          // true if the next retry costs no budget, because the store did not cause the failure
	throttled int           // number of the failed attempts that the store throttled
	Waited    time.Duration // sum of all waits so far
}

// Allow counts a failed attempt, which the store may have throttled, and reports whether the request
// may be retried, and after what delay. The delay is random below a limit that doubles with each
// retry (full jitter). If the store asked for a longer delay, Allow returns that delay, up to
// MaxDelay.
func (p *Policy) Allow(t *Tries, throttled bool, retryAfter time.Duration) (delay time.Duration, ok bool) {
	t.Failed++
	maxAttempts := p.Attempts
	if throttled {
		// A throttled request may be tried more often, but after longer delays.
		t.throttled++
		maxAttempts = p.throttled
	}
	if t.Failed >= maxAttempts || t.Waited >= p.maxWait {
		return 0, false
	}

	costsBudget := !throttled && !t.Free
	if costsBudget && !p.payRetry() {
		return 0, false
	}

	delay = Jitter(p.delayBound(t, throttled))
	// The store may ask for a longer delay.
	delay = max(delay, min(retryAfter, p.MaxDelay))
	// The waits of one request must not exceed maxWait in all.
	delay = min(delay, p.maxWait-t.Waited)
	t.Waited += delay
	return delay, true
}

// payRetry takes the cost of a retry from the budget that all requests share, and reports whether the
// budget pays for it. If not, nothing is taken.
func (p *Policy) payRetry() bool {
	if p.budget.Add(-retryCost) >= 0 {
		return true
	}
	p.budget.Add(retryCost)
	return false
}

// delayBound returns the limit of the random delay after a failed attempt. It doubles with each attempt of the
// same kind: those that the store throttled, and the others.
func (p *Policy) delayBound(t *Tries, throttled bool) time.Duration {
	initialDelay := firstDelay
	doublings := t.Failed - t.throttled - 1
	if throttled {
		// The first throttledSame attempts have the same limit.
		initialDelay = throttledDelay
		doublings = max(0, t.throttled-throttledSame)
	}

	// From this many doublings on, the limit is MaxDelay. A much larger shift would overflow.
	const manyDoublings = 16
	if doublings >= manyDoublings {
		return p.MaxDelay
	}
	return min(p.MaxDelay, initialDelay<<doublings)
}
