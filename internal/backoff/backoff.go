// Package backoff decides whether a request that failed is made again, and after which wait.
package backoff

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

const (
	defaultAttempts   = 5
	throttledAttempts = 12 // their waits take about a minute on average
	defaultMaxDelay   = 20 * time.Second
	defaultMaxWait    = time.Minute
	throttledDelay    = time.Second
	throttledSame     = 3 // number of equal waits before they double: meanwhile the whole bucket has slowed down

	// The retry budget keeps a failing store from getting five times the requests: a retry
	// takes retryCost from it, a success returns one. A store that throttles gets fewer
	// requests by the pace.
	retryBudget = 500
	retryCost   = 5
)

// FirstDelay bounds the first wait after a failure other than throttling.
const FirstDelay = 50 * time.Millisecond

// A Policy holds for all requests of a bucket.
type Policy struct {
	Attempts int           // how often one request is made at most
	MaxDelay time.Duration // the longest wait

	throttled int           // attempts of a request that the store throttles
	maxWait   time.Duration // the longest sum of waits of one request
	budget    atomic.Int64
}

// New returns a Policy. If an argument is not positive, it has its default.
func New(attempts int, maxDelay, maxWait time.Duration) *Policy {
	p := &Policy{Attempts: attempts, throttled: attempts, MaxDelay: maxDelay, maxWait: maxWait}
	if p.Attempts < 1 {
		p.Attempts, p.throttled = defaultAttempts, throttledAttempts
	}
	if p.MaxDelay <= 0 {
		p.MaxDelay = defaultMaxDelay
	}
	if p.maxWait <= 0 {
		p.maxWait = defaultMaxWait
	}
	p.budget.Store(retryBudget)
	return p
}

// Succeeded credits the retry budget for a success.
func (p *Policy) Succeeded() {
	if p.budget.Load() < retryBudget {
		p.budget.Add(1)
	}
}

// Tries counts the attempts at one request that have failed.
type Tries struct {
	Failed    int
	Free      bool          // the next attempt takes nothing from the budget: the store has not failed
	throttled int           // how many of Failed were throttled
	Waited    time.Duration // the sum of all waits
}

// Allow reports whether another attempt may follow one that failed, and after which wait: full
// jitter below a bound that doubles, or as long as the store asks. throttled says that the store
// throttles.
func (p *Policy) Allow(t *Tries, throttled bool, asked time.Duration) (delay time.Duration, ok bool) {
	t.Failed++
	most, first, doubled := p.Attempts, FirstDelay, t.Failed-t.throttled-1
	if throttled {
		t.throttled++
		most, first, doubled = p.throttled, throttledDelay, max(0, t.throttled-throttledSame)
	}
	if t.Failed >= most || t.Waited >= p.maxWait {
		return 0, false
	}
	if !throttled && !t.Free && p.budget.Add(-retryCost) < 0 {
		p.budget.Add(retryCost)
		return 0, false
	}
	bound := p.MaxDelay
	if doubled < 16 {
		bound = min(bound, first<<doubled)
	}
	delay = max(rand.N(bound), min(asked, p.MaxDelay))
	delay = min(delay, p.maxWait-t.Waited)
	t.Waited += delay
	return delay, true
}
