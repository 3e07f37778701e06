package storage

import "sync"

// A progress adds up the bytes that several parts have moved, and reports them. The
// methods of a nil progress do nothing.
type progress struct {
	mu       sync.Mutex
	report   func(done, total int64)
	done     int64 // in this attempt
	reported int64 // the largest that was reported, of all attempts
	total    int64
}

func newProgress(report func(done, total int64), total int64) *progress {
	if report == nil {
		return nil
	}
	return &progress{report: report, total: total}
}

// counter returns the method add; nil if nobody listens.
func (p *progress) counter() func(n int64) {
	if p == nil {
		return nil
	}
	return p.add
}

// add counts n bytes more. The lock, which only this transfer uses, makes the
// reports come one at a time.
func (p *progress) add(n int64) {
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

// restart counts from 0 again. Nothing is reported until the earlier attempt is
// overtaken.
func (p *progress) restart() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = 0
}
