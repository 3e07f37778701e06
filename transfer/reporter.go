package transfer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/omnibucket/storage"
)

// reporter keeps the report while a job runs.
type reporter struct {
	meter     meter
	mu        sync.Mutex
	report    Report
	changesMu sync.Mutex // serializes calls of onChange
	onChange  func(Change)
}

func (t *reporter) begin(s *settings) {
	t.meter.started = time.Now()
	t.report.Started, t.report.DryRun = t.meter.started, s.dryRun
	if s.inventory != nil {
		t.report.Inventory = s.inventory.Taken
	}
	t.onChange = s.changes
}

func (t *reporter) end(early error) (*Report, error) {
	t.report.Duration = time.Since(t.meter.started)
	return &t.report, t.report.err(early)
}

func (t *reporter) reportChange(c Change) {
	if t.onChange == nil {
		return
	}
	t.changesMu.Lock()
	defer t.changesMu.Unlock()
	t.onChange(c)
}

// count updates the report.
func (t *reporter) count(add func(*Report)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	add(&t.report)
}

// passed counts a file that was not transferred, such as one that is the same.
func (t *reporter) passed(add func(*Report)) {
	t.meter.files.Add(1)
	t.count(add)
}

// stored counts one file and the action. known reports whether the file replaces another one. reported is
// the number of bytes that progress already includes; a copy inside a provider reports none.
func (t *reporter) stored(action Action, key string, known bool, size, reported int64) {
	t.meter.files.Add(1)
	t.count(func(r *Report) {
		r.Transferred++
		r.Bytes += size
		if !r.DryRun {
			t.meter.bytes.Add(size - reported)
		}
	})
	t.reportChange(Change{Action: action, Key: key, Bytes: size, Replaced: known})
}

func (t *reporter) removed(key string, size int64) {
	t.meter.deleted.Add(1)
	t.count(func(r *Report) {
		r.Deleted++
		r.DeletedBytes += size
	})
	t.reportChange(Change{Action: Deleted, Key: key, Bytes: size})
}

func (t *reporter) aborted(key string) {
	t.count(func(r *Report) { r.Aborted++ })
	t.reportChange(Change{Action: Aborted, Key: key})
}

// failed counts a file that failed.
func (t *reporter) failed(ctx context.Context, key string, err error) {
	t.meter.files.Add(1)
	t.destinationFailed(ctx, key, err)
}

// destinationFailed is failed for a file of the destination, and for one that was counted as transferred. Failures
// after ctx is done are not counted, unless they may have been successes.
func (t *reporter) destinationFailed(ctx context.Context, key string, err error) {
	if ctx.Err() != nil && !errors.Is(err, storage.OutcomeUnknown) {
		return
	}
	t.meter.failed.Add(1)
	err = asStorageError(key, err)
	t.count(func(r *Report) {
		r.Failed++
		if len(r.Failures) < maxFailures {
			r.Failures = append(r.Failures, Failure{Key: key, Err: err})
		}
	})
	t.reportChange(Change{Action: Failed, Key: key, Err: err})
}
