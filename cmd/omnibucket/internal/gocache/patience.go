package gocache

import (
	"sync"
	"time"
)

const (
	// usualWait is the time in which a store usually begins to answer. Only longer waits use up
	// patience.
	usualWait = 250 * time.Millisecond
	// slowest is the rate, in bytes a second, below which a body is slow.
	slowest = 1 << 20
	// refund is the patience that a fast hit returns, because it saves the time of a compilation.
	refund = 50 * time.Millisecond
	// maxFailures is the number of failures in a row after which the store is left alone.
	maxFailures = 5
)

// A patience bounds the time for which a build waits in vain. Failures and slow answers use it up.
// Hits return some of it. Once it is used up, the store is left alone.
type patience struct {
	limit time.Duration

	mu       sync.Mutex
	left     time.Duration
	counted  time.Time // waits before it have been counted, so that waits at the same time count once
	failures int       // in a row
}

func newPatience(limit time.Duration) *patience { return &patience{limit: limit, left: limit} }

// remaining returns the time that is left.
func (p *patience) remaining() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(p.left, 0)
}

// failed counts a request that failed, and reports whether the patience is used up.
func (p *patience) failed(start time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures++
	p.spend(start)
	return p.left <= 0 || p.failures >= maxFailures
}

// answered counts a request that was answered, and reports whether the patience is used up. size is
// the number of bytes that were received, or 0 for a miss or a wrong object.
func (p *patience) answered(start time.Time, size int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures = 0
	usual := start.Add(usualWait + bodyTime(size))
	if time.Now().After(usual) {
		p.spend(usual)
	} else if size > 0 {
		p.left = min(p.left+refund, p.limit)
	}
	return p.left <= 0
}

// spend takes the time since start from the patience.
func (p *patience) spend(start time.Time) {
	now := time.Now()
	if start.Before(p.counted) {
		start = p.counted
	}
	p.left -= max(now.Sub(start), 0)
	p.counted = now
}

// bodyTime returns the time in which a body of this size usually arrives.
func bodyTime(size int64) time.Duration {
	return time.Duration(float64(size) / slowest * float64(time.Second))
}
