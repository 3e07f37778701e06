package transfer

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage/internal/running"
)

const (
	progressEvery = 100 * time.Millisecond
	// rateTicks is the number of ticks over which [Progress.Rate] is the mean.
	rateTicks = 30
)

// Progress is the state of a job, for [WithProgress].
type Progress struct {
	Files      int64  // files that were transferred, skipped or ignored, or that failed
	TotalFiles int64  // files of the source, as far as known
	Bytes      int64  // bytes transferred so far, including those of unfinished files
	TotalBytes int64  // bytes to transfer, as far as known
	Failed     int64  // files
	Deleted    int64  // files
	Current    string // the key of the file that was started last
	// Rate is the bytes per second over the last three seconds. In the last event, it is that of
	// the whole job.
	Rate    float64
	Elapsed time.Duration
	Listed  bool // whether the whole source is listed, so that the totals are final
	Done    bool // whether this is the last event
}

// A Change is the result for one file, for [WithChanges].
type Change struct {
	Action Action
	Key    string
	Bytes  int64 // size of the file; 0 if it failed
	Err    error // a *storage.Error if the file failed; otherwise nil
	// Replaced is true if the destination had a file with this key before.
	Replaced bool
}

// An Action says what was done with the file of a [Change].
type Action string

// The actions.
const (
	Transferred Action = "transferred"
	Deleted     Action = "deleted"
	Aborted     Action = "aborted" // [Expire] aborted a multipart upload to the key
	Failed      Action = "failed"

	// Actions of [Undelete] and [RestoreAt]. They say how an object came back, or that it existed
	// already.
	MarkerRemoved Action = "marker-removed"
	VersionCopied Action = "version-copied"
	Restored      Action = "restored" // see [storage.WithSoftDeleted]
	Unchanged     Action = "unchanged"
)

// A meter counts files and bytes while a job runs, for Progress.
type meter struct {
	started    time.Time
	files      atomic.Int64
	totalFiles atomic.Int64
	bytes      atomic.Int64
	totalBytes atomic.Int64
	failed     atomic.Int64
	deleted    atomic.Int64
	current    atomic.Pointer[string]
	listed     atomic.Bool
}

// progress returns the current counts without Rate and Done.
func (m *meter) progress() Progress {
	p := Progress{
		Files:   m.files.Load(),
		Bytes:   m.bytes.Load(),
		Failed:  m.failed.Load(),
		Deleted: m.deleted.Load(),
		Listed:  m.listed.Load(),
		Elapsed: time.Since(m.started),
	}
	// The totals are loaded last, so that they are never less than the counts.
	p.TotalFiles = m.totalFiles.Load()
	p.TotalBytes = m.totalBytes.Load()
	if key := m.current.Load(); key != nil {
		p.Current = *key
	}
	return p
}

// reportProgress calls report about every 100 milliseconds if anything has changed, until the returned
// function is called. That function calls report a last time, with Done set. If report is nil, nothing
// is reported.
func (m *meter) reportProgress(report func(Progress)) (end func()) {
	if report == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ticker := &progressTicker{meter: m, report: report}
	var background running.Group
	background.Go(func() { running.Every(ctx, progressEvery, ticker.tick) }, nil)

	return func() {
		cancel()
		background.Wait()
		p := m.progress()
		p.Done = true
		if seconds := p.Elapsed.Seconds(); seconds > 0 {
			p.Rate = float64(p.Bytes) / seconds
		}
		report(p)
	}
}

// A progressTicker reports the progress of a job at regular times.
type progressTicker struct {
	meter   *meter
	report  func(Progress)
	last    Progress         // the progress that was reported last
	ticks   int              // number of ticks so far
	samples [rateTicks]int64 // bytes transferred at each of the last ticks
}

// tick reports the progress if anything but the elapsed time has changed. It is called every
// progressEvery.
func (t *progressTicker) tick(context.Context) {
	p := t.meter.progress()
	slot := t.ticks % rateTicks
	t.ticks++

	// The slot holds the sample of rateTicks ticks ago. Before there is one, the rate is the average
	// since the start of the job.
	span := time.Duration(min(t.ticks, rateTicks)) * progressEvery
	p.Rate = float64(p.Bytes-t.samples[slot]) / span.Seconds()
	t.samples[slot] = p.Bytes

	// The elapsed time changes at each tick, so leave it out of the comparison.
	withLastTime := p
	withLastTime.Elapsed = t.last.Elapsed
	hasChanged := withLastTime != t.last
	if hasChanged {
		t.last = p
		t.report(p)
	}
}
