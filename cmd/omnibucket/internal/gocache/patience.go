package gocache

import (
	"sync"
	"time"
)

const (
	// usualWait is the time in which a store usually begins to answer. Only longer waits use up
	// the budget.
	usualWait = 250 * time.Millisecond
	// slowest is the rate, in bytes a second, below which a body is slow.
	slowest = 1 << 20
	// refund is the time that a fast hit returns, because it saves the time of a compilation.
	refund = 50 * time.Millisecond
	// maxFailures is the number of failures in a row after which the store is left alone.
	maxFailures = 5
)

// A timeBudget bounds the time for which a build waits in vain. Failures and slow answers use it up.
// Hits return some of it. Once it is used up, the store is left alone.
type timeBudget struct {
	limit time.Duration

	mu       sync.Mutex
	budget   time.Duration
	counted  time.Time // waits before it have been counted, so that waits at the same time count once
	failures int       // in a row
}

func newTimeBudget(limit time.Duration) *timeBudget { return &timeBudget{limit: limit, budget: limit} }

// remaining returns the time that is left.
func (b *timeBudget) remaining() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(b.budget, 0)
}

// addFailure counts a request that began at start and failed, and reports whether the budget is used up.
func (b *timeBudget) addFailure(start time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures++
	b.spend(start)
	return b.budget <= 0 || b.failures >= maxFailures
}

// addAnswer counts a request that was answered with size bytes, which is 0 for a miss or a wrong object. It reports
// whether the budget is used up.
func (b *timeBudget) addAnswer(start time.Time, size int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures = 0

	expectedEnd := start.Add(usualWait + bodyTime(size))
	if time.Now().After(expectedEnd) {
		// Only the wait beyond the expected time counts.
		b.spend(expectedEnd)
	} else if size > 0 {
		// A fast hit returns some time.
		b.budget = min(b.budget+refund, b.limit)
	}
	return b.budget <= 0
}

// spend takes the time since start from the budget, except for what other requests have already taken.
func (b *timeBudget) spend(start time.Time) {
	now := time.Now()
	if start.Before(b.counted) {
		start = b.counted
	}
	b.budget -= max(now.Sub(start), 0)
	b.counted = now
}

// bodyTime returns the time in which a body of this size usually arrives.
func bodyTime(size int64) time.Duration {
	return time.Duration(float64(size) / slowest * float64(time.Second))
}
