package storage

import "sync"

// progress adds up what several parts have moved. A nil one reports nothing.
type progress struct {
	mu     sync.Mutex
	report func(done, total int64)
	done   int64 // in this attempt
	told   int64 // at most done, of all attempts
	total  int64
}

func newProgress(report func(done, total int64), total int64) *progress {
	if report == nil {
		return nil
	}
	return &progress{report: report, total: total}
}

// add is what body.moved and a Reader call; nil where nobody listens. The lock,
// which nothing but this transfer knows, makes the reports come one by one.
func (p *progress) add() func(n int64) {
	if p == nil {
		return nil
	}
	return func(n int64) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.done += n
		if p.done > p.told {
			p.told = p.done
			p.report(p.done, p.total)
		}
	}
}

// restart begins anew; nothing is told until the earlier attempt is overtaken.
func (p *progress) restart() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = 0
}
