package storage

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// A RetryPolicy's zero fields are the defaults.
type RetryPolicy struct {
	Attempts int           // of one request; 1 turns retrying off; default 5
	MaxDelay time.Duration // between two; default 20 s, reached from 50 ms by doubling, with full jitter
	Stall    time.Duration // no byte for so long is a dropped connection; default 30 s
}

const (
	defaultAttempts = 5
	defaultMaxDelay = 20 * time.Second
	defaultStall    = 30 * time.Second
	firstDelay      = 50 * time.Millisecond

	// The budget keeps a store in trouble from being asked five times as much:
	// a retry takes retryCost from it, a success gives one back.
	retryBudget = 500
	retryCost   = 5
)

// retrier is the one layer of retrying.
type retrier struct {
	attempts int
	maxDelay time.Duration
	stall    time.Duration
	budget   atomic.Int64
}

func newRetrier(p RetryPolicy) *retrier {
	r := &retrier{attempts: p.Attempts, maxDelay: p.MaxDelay, stall: p.Stall}
	if r.attempts < 1 {
		r.attempts = defaultAttempts
	}
	if r.maxDelay <= 0 {
		r.maxDelay = defaultMaxDelay
	}
	if r.stall <= 0 {
		r.stall = defaultStall
	}
	r.budget.Store(retryBudget)
	return r
}

func (r *retrier) succeeded() {
	if r.budget.Load() < retryBudget {
		r.budget.Add(1)
	}
}

// again reports whether attempt may be followed by another.
func (r *retrier) again(attempt int) bool {
	if attempt >= r.attempts {
		return false
	}
	if r.budget.Add(-retryCost) < 0 {
		r.budget.Add(retryCost)
		return false
	}
	return true
}

// wait is full jitter below a doubling bound, or as long as the provider asks,
// which maxDelay bounds too.
func (r *retrier) wait(ctx context.Context, attempt int, asked time.Duration) error {
	bound := r.maxDelay
	if attempt < 16 {
		bound = min(bound, firstDelay<<(attempt-1))
	}
	delay := max(rand.N(bound), min(asked, r.maxDelay))
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
