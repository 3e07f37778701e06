package transfer

import (
	"context"
	"sync"
	"time"
)

// tally keeps the report while a job runs.
type tally struct {
	meter
	mu      sync.Mutex
	report  Report
	telling sync.Mutex // makes the changes come one by one; nothing else knows it
	tell    func(Change)
}

func (t *tally) begin(s *settings) {
	t.started = time.Now()
	t.report.Started, t.report.DryRun = t.started, s.dryRun
	t.tell = s.changes
}

func (t *tally) end(early error) (*Report, error) {
	t.report.Duration = time.Since(t.started)
	return &t.report, t.report.err(early)
}

func (t *tally) change(c Change) {
	if t.tell == nil {
		return
	}
	t.telling.Lock()
	defer t.telling.Unlock()
	t.tell(c)
}

// count changes the report.
func (t *tally) count(add func(*Report)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	add(&t.report)
}

func (t *tally) skipped() {
	t.files.Add(1)
	t.count(func(r *Report) { r.Skipped++ })
}

func (t *tally) ignored() {
	t.files.Add(1)
	t.count(func(r *Report) { r.Ignored++ })
}

// transferred is one file; told are the bytes that progress knows of. A copy
// inside a provider tells of none.
func (t *tally) transferred(key string, size, told int64) {
	t.files.Add(1)
	t.count(func(r *Report) {
		r.Transferred++
		r.Bytes += size
		if !r.DryRun {
			t.bytes.Add(size - told)
		}
	})
	t.change(Change{Action: Transferred, Key: key, Bytes: size})
}

func (t *tally) removed(key string, size int64) {
	t.deleted.Add(1)
	t.count(func(r *Report) {
		r.Deleted++
		r.DeletedBytes += size
	})
	t.change(Change{Action: Deleted, Key: key, Bytes: size})
}

// failed is one file. What fails because the job is ended is none.
func (t *tally) failed(ctx context.Context, key string, err error) {
	if ctx.Err() != nil {
		return
	}
	t.files.Add(1)
	t.notRemoved(key, err)
}

// notRemoved is a file of the destination that failed.
func (t *tally) notRemoved(key string, err error) {
	t.meter.failed.Add(1)
	err = ownError(key, err)
	t.count(func(r *Report) {
		r.Failed++
		if len(r.Failures) < maxFailures {
			r.Failures = append(r.Failures, Failure{Key: key, Err: err})
		}
	})
	t.change(Change{Action: Failed, Key: key, Err: err})
}
