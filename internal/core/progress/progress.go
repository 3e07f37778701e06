// Package progress reports how many bytes a transfer has moved.
package progress

import "sync"

// A Counter adds up the bytes that all parts of one transfer have moved, and reports the sum. The
// methods of a nil Counter do nothing.
type Counter struct {
	mu       sync.Mutex
	report   func(done, total int64)
	done     int64 // bytes that this attempt has moved
	reported int64 // largest sum that was reported so far, in any attempt
	total    int64
}

// New returns a Counter that reports the progress of a transfer of total bytes. If report is nil, it
// returns nil, which counts nothing.
func New(report func(done, total int64), total int64) *Counter {
	if report == nil {
		return nil
	}
	return &Counter{report: report, total: total}
}

// Add counts n more bytes, and reports the count if it exceeds what was reported last. Reports come
// one at a time, because the Counter holds its lock during the call. A nil Counter counts nothing.
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

// Restart sets the count to 0 for a new attempt. Nothing is reported until the count exceeds what was
// reported last.
func (p *Counter) Restart() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = 0
}
