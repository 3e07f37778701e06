// Package progress adds up the bytes that the parts of a transfer have moved, and reports them.
package progress

import "sync"

// A Counter adds up the bytes that several parts have moved, and reports them. The
// methods of a nil Counter do nothing.
type Counter struct {
	mu       sync.Mutex
	report   func(done, total int64)
	done     int64 // bytes that this attempt has moved
	reported int64 // the greatest number of bytes that was reported, in all attempts
	total    int64
}

// New returns a Counter of total bytes; nil if report is nil.
func New(report func(done, total int64), total int64) *Counter {
	if report == nil {
		return nil
	}
	return &Counter{report: report, total: total}
}

// Add counts n bytes more. The lock, which only this transfer uses, makes the
// reports come one at a time.
func (p *Counter) Add(n int64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	if p.done > p.reported {
		p.reported = p.done
		p.report(p.done, p.total)
	}
}

// Restart counts from 0 again. Nothing is reported until the count exceeds that of the earlier
// attempt.
func (p *Counter) Restart() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = 0
}
