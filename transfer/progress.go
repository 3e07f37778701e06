package transfer

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage/internal/ctxtime"
	"github.com/omnibucket/storage/internal/panics"
)

const (
	progressEvery = 100 * time.Millisecond
	// rateTicks is the number of those intervals over which [Progress.Rate] is the
	// mean.
	rateTicks = 30
)

// Progress is the state of a job.
type Progress struct {
	Files      int64  // transferred, skipped, ignored or failed
	TotalFiles int64  // of the source, as far as known
	Bytes      int64  // transferred so far, including unfinished files
	TotalBytes int64  // to transfer, as far as known
	Failed     int64  // files
	Deleted    int64  // files
	Current    string // the key of the file that was started last
	// Rate is the bytes per second over the last three seconds or, in the last event,
	// over the whole job.
	Rate    float64
	Elapsed time.Duration
	Listed  bool // the whole source is listed, and the totals are final
	Done    bool // the last event
}

// A Change is the result of one file.
type Change struct {
	Action Action
	Key    string
	Bytes  int64 // of the file; 0 if it failed
	Err    error // a *storage.Error if it failed
	// Replaced is set if the destination had a file of this key before.
	Replaced bool
}

// An Action is the kind of a [Change].
type Action string

// The actions.
const (
	Transferred Action = "transferred"
	Deleted     Action = "deleted"
	Aborted     Action = "aborted" // a multipart upload to the key, by [Expire]
	Failed      Action = "failed"

	// Actions of [Undelete] and [RestoreAt]: how an object came back, or that it was there.
	MarkerRemoved Action = "marker-removed"
	VersionCopied Action = "version-copied"
	Restored      Action = "restored" // see [storage.WithSoftDeleted]
	Unchanged     Action = "unchanged"
)

// meter counts while a job runs.
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

func (m *meter) progress() Progress {
	p := Progress{
		Files: m.files.Load(), Bytes: m.bytes.Load(),
		Failed: m.failed.Load(), Deleted: m.deleted.Load(),
		Listed: m.listed.Load(), Elapsed: time.Since(m.started),
	}
	// The totals are loaded last, so that they are never less than the counts.
	p.TotalFiles, p.TotalBytes = m.totalFiles.Load(), m.totalBytes.Load()
	if key := m.current.Load(); key != nil {
		p.Current = *key
	}
	return p
}

// reportProgress reports until the returned function is called, which sends the last
// report.
func (m *meter) reportProgress(report func(Progress)) (end func()) {
	if report == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var ticking panics.Group
	ticking.Go(func() { ctxtime.Every(ctx, progressEvery, m.ticker(report)) }, nil)
	return func() {
		cancel()
		ticking.Wait()
		p := m.progress()
		p.Done = true
		if s := p.Elapsed.Seconds(); s > 0 {
			p.Rate = float64(p.Bytes) / s
		}
		report(p)
	}
}

// ticker returns a function that reports at each tick if anything has changed.
func (m *meter) ticker(report func(Progress)) func(context.Context) {
	var samples [rateTicks]int64 // bytes at the last ticks
	var last Progress
	n := 0
	return func(context.Context) {
		p := m.progress()
		slot := n % rateTicks
		n++
		since := min(n, rateTicks) // in ticks; nothing moved before the first
		p.Rate = float64(p.Bytes-samples[slot]) / (time.Duration(since) * progressEvery).Seconds()
		samples[slot] = p.Bytes
		news := p
		news.Elapsed = last.Elapsed
		if news != last {
			last = p
			report(p)
		}
	}
}
