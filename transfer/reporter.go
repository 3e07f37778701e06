package transfer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/omnibucket/storage"
)

// A reporter updates the Report while a job runs, and calls the function of WithChanges.
type reporter struct {
	meter     meter
	mu        sync.Mutex
	report    Report
	changesMu sync.Mutex // held during calls of onChange, so that they do not overlap
	onChange  func(Change)
}

// begin starts the clock of the report, and takes from the options what the report needs.
func (t *reporter) begin(s *settings) {
	t.meter.started = time.Now()
	t.report.Started = t.meter.started
	t.report.DryRun = s.dryRun
	if s.inventory != nil {
		t.report.Inventory = s.inventory.Taken
	}
	t.onChange = s.changes
}

// end returns the report of a job, and the error of the job. cause is the reason for an early end, or nil.
func (t *reporter) end(cause error) (*Report, error) {
	t.report.Duration = time.Since(t.meter.started)
	return &t.report, t.report.err(cause)
}

// reportChange calls the function of WithChanges, if any, for one change at a time.
func (t *reporter) reportChange(c Change) {
	if t.onChange == nil {
		return
	}
	t.changesMu.Lock()
	defer t.changesMu.Unlock()
	t.onChange(c)
}

// updateReport calls the function add, which changes the report. The report is locked during the
// call.
func (t *reporter) updateReport(add func(*Report)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	add(&t.report)
}

// countPassed counts a file that was not transferred, for example because the destination has the same
// file. It calls the function add to update the report.
func (t *reporter) countPassed(add func(*Report)) {
	t.meter.files.Add(1)
	t.updateReport(add)
}

// countStored counts a file of size bytes that was transferred and may have replaced another one.
// reported is how many of these bytes the progress already includes.
func (t *reporter) countStored(action Action, key string, replaced bool, size, reported int64) {
	t.meter.files.Add(1)
	t.updateReport(func(r *Report) {
		r.Transferred++
		r.Bytes += size
		if !r.DryRun {
			t.meter.bytes.Add(size - reported)
		}
	})
	t.reportChange(Change{Action: action, Key: key, Bytes: size, Replaced: replaced})
}

// countRemoval counts a file of the destination as removed, or as a failure if err is not nil.
func (t *reporter) countRemoval(ctx context.Context, file storage.VersionEntry, err error) {
	if err != nil {
		t.countDestinationFailure(ctx, file.Key, err)
		return
	}
	t.countRemoved(file.Key, file.Size)
}

// countRemoved counts a file or version that was removed, or would be in a dry run.
func (t *reporter) countRemoved(key string, size int64) {
	t.meter.deleted.Add(1)
	t.updateReport(func(r *Report) {
		r.Deleted++
		r.DeletedBytes += size
	})
	t.reportChange(Change{Action: Deleted, Key: key, Bytes: size})
}

// countAborted counts an aborted multipart upload.
func (t *reporter) countAborted(key string) {
	t.updateReport(func(r *Report) {
		r.Aborted++
	})
	t.reportChange(Change{Action: Aborted, Key: key})
}

// countFailed counts a file of the source that failed with err.
func (t *reporter) countFailed(ctx context.Context, key string, err error) {
	t.meter.files.Add(1)
	t.countDestinationFailure(ctx, key, err)
}

// countDestinationFailure counts a failure for a file that is not in the source, or that already counts
// as transferred. After ctx is done, it counts only a failure with OutcomeUnknown, because that
// operation may have succeeded.
func (t *reporter) countDestinationFailure(ctx context.Context, key string, err error) {
	if ctx.Err() != nil && !errors.Is(err, storage.OutcomeUnknown) {
		return
	}
	t.meter.failed.Add(1)
	err = asStorageError(key, err)
	t.updateReport(func(r *Report) {
		r.Failed++
		if len(r.Failures) < maxFailures {
			r.Failures = append(r.Failures, Failure{Key: key, Err: err})
		}
	})
	t.reportChange(Change{Action: Failed, Key: key, Err: err})
}

// asStorageError returns err as a *storage.Error with a key. The methods of a bucket from outside this
// library may return any error.
func asStorageError(key string, err error) error {
	storageErr, ok := err.(*storage.Error)
	if !ok {
		return &storage.Error{Code: storage.CodeOf(err), Key: key, Err: err}
	}
	if storageErr.Key != "" {
		return storageErr
	}
	keyed := *storageErr
	keyed.Key = key
	return &keyed
}
