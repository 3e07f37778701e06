package transfer

import (
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage/internal/panics"
)

const (
	progressEvery = 100 * time.Millisecond
	// rateTicks is how many of those intervals Progress.Rate is the mean of.
	rateTicks = 30
)

// Progress is how far a job is.
type Progress struct {
	Files      int64  // done: transferred, the same, ignored or failed
	TotalFiles int64  // of the source, as far as it is known
	Bytes      int64  // transferred so far, those of files under way too
	TotalBytes int64  // to be transferred, as far as it is known
	Failed     int64  // files
	Deleted    int64  // files
	Current    string // the key of the file that was begun last
	// Rate is bytes in a second, over the last three seconds; in the last event
	// over the whole job.
	Rate    float64
	Elapsed time.Duration
	Listed  bool // the source is listed to its end: the totals are final
	Done    bool // the last event
}

// A Change is one file's end.
type Change struct {
	Action Action
	Key    string
	Bytes  int64 // of the file; 0 where it failed
	Err    error // why it failed: a *storage.Error
}

// An Action is what was done to a file.
type Action string

// The actions.
const (
	Transferred Action = "transferred"
	Deleted     Action = "deleted"
	Failed      Action = "failed"
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
	// The totals last, so that they are never less than what is done of them.
	p.TotalFiles, p.TotalBytes = m.totalFiles.Load(), m.totalBytes.Load()
	if key := m.current.Load(); key != nil {
		p.Current = *key
	}
	return p
}

// reportProgress reports until the function that it returns is called, which reports for
// the last time.
func (m *meter) reportProgress(report func(Progress)) (end func()) {
	if report == nil {
		return func() {}
	}
	over := make(chan struct{})
	var ticking panics.Group
	ticking.Go(func() { m.tick(report, over) }, nil)
	return func() {
		close(over)
		ticking.Wait()
		p := m.progress()
		p.Done = true
		if s := p.Elapsed.Seconds(); s > 0 {
			p.Rate = float64(p.Bytes) / s
		}
		report(p)
	}
}

// tick reports whenever there is something new.
func (m *meter) tick(report func(Progress), over <-chan struct{}) {
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	var samples [rateTicks]int64 // bytes at the last ticks
	var last Progress
	for n := 0; ; n++ {
		select {
		case <-over:
			return
		case <-ticker.C:
		}
		p := m.progress()
		slot := n % rateTicks
		since := min(n+1, rateTicks) // ticks; before the first, nothing had moved
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
