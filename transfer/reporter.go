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
func (rp *reporter) begin(s *settings) {
	rp.meter.started = time.Now()
	rp.report.Started = rp.meter.started
	rp.report.DryRun = s.dryRun
	if s.inventory != nil {
		rp.report.Inventory = s.inventory.Taken
	}
	rp.onChange = s.changes
}

// end returns the report of a job, and the error of the job. cause is the reason for an early end, or nil.
func (rp *reporter) end(cause error) (*Report, error) {
	rp.report.Duration = time.Since(rp.meter.started)
	return &rp.report, rp.report.err(cause)
}

// reportChange calls the function of WithChanges, if any, for one change at a time.
func (rp *reporter) reportChange(c Change) {
	if rp.onChange == nil {
		return
	}
	rp.changesMu.Lock()
	defer rp.changesMu.Unlock()
	rp.onChange(c)
}

// updateReport calls the function add, which changes the report. The report is locked during the
// call.
func (rp *reporter) updateReport(add func(*Report)) {
	rp.mu.Lock()
	defer rp.mu.Unlock()
	add(&rp.report)
}

// countPassed counts a file that was not transferred, for example because the destination has the same
// file. It calls the function add to update the report.
func (rp *reporter) countPassed(add func(*Report)) {
	rp.meter.files.Add(1)
	rp.updateReport(add)
}

// countStored counts a file of size bytes that was transferred and may have replaced another one.
// reported is how many of these bytes the progress already includes.
func (rp *reporter) countStored(action Action, key string, replaced bool, size, reported int64) {
	rp.meter.files.Add(1)
	rp.updateReport(func(r *Report) {
		r.Transferred++
		r.Bytes += size
		if !r.DryRun {
			rp.meter.bytes.Add(size - reported)
		}
	})
	rp.reportChange(Change{Action: action, Key: key, Bytes: size, Replaced: replaced})
}

// countRemoval counts a file of the destination as removed, or as a failure if err is not nil.
func (rp *reporter) countRemoval(ctx context.Context, file storage.VersionEntry, err error) {
	if err != nil {
		rp.countDestinationFailure(ctx, file.Key, err)
		return
	}
	rp.countRemoved(file.Key, file.Size)
}

// countRemoved counts a file or version that was removed, or would be in a dry run.
func (rp *reporter) countRemoved(key string, size int64) {
	rp.meter.deleted.Add(1)
	rp.updateReport(func(r *Report) {
		r.Deleted++
		r.DeletedBytes += size
	})
	rp.reportChange(Change{Action: Deleted, Key: key, Bytes: size})
}

// countAborted counts an aborted multipart upload.
func (rp *reporter) countAborted(key string) {
	rp.updateReport(func(r *Report) {
		r.Aborted++
	})
	rp.reportChange(Change{Action: Aborted, Key: key})
}

// countFailed counts a file of the source that failed with err.
func (rp *reporter) countFailed(ctx context.Context, key string, err error) {
	rp.meter.files.Add(1)
	rp.countDestinationFailure(ctx, key, err)
}

// countDestinationFailure counts a failure for a file that is not in the source, or that already counts
// as transferred. After ctx is done, it counts only a failure with OutcomeUnknown, because that
// operation may have succeeded.
func (rp *reporter) countDestinationFailure(ctx context.Context, key string, err error) {
	if ctx.Err() != nil && !errors.Is(err, storage.OutcomeUnknown) {
		return
	}
	rp.meter.failed.Add(1)
	err = asStorageError(key, err)
	rp.updateReport(func(r *Report) {
		r.Failed++
		if len(r.Failures) < maxFailures {
			r.Failures = append(r.Failures, Failure{Key: key, Err: err})
		}
	})
	rp.reportChange(Change{Action: Failed, Key: key, Err: err})
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
