package program

import (
	"sync"
	"time"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/transfer"
)

// StartProgress returns a progress bar, or nil if there is no terminal or a flag turns progress off.
func (p *Program) StartProgress() *console.ProgressBar {
	if !console.IsTerminal(p.Around.Err) || p.Global.quiet || p.Global.noProgress {
		return nil
	}
	if p.Global.JSON && p.Out.Terminal {
		// The bar would be mixed with the lines of JSON.
		return nil
	}

	// From now on, the output appears above the bar.
	bar := console.NewProgressBar(p.Around.Err)
	p.Out.Redirect(bar.Screen)
	return bar
}

// EndProgress removes a bar, which may be nil.
func (p *Program) EndProgress(bar *console.ProgressBar) {
	if bar == nil {
		return
	}
	p.Out.Redirect(nil)
	bar.Bar.Abort(true)
	bar.Screen.Wait()
}

// A sharedProgress shows the progress of several objects in one bar.
type sharedProgress struct {
	program   *Program
	bar       *console.ProgressBar
	startTime time.Time

	mu         sync.Mutex
	startCount int64
	state      transfer.Progress
}

// StartTogether returns one bar for n objects, or nil if there is no terminal or a flag turns progress
// off.
func (p *Program) StartTogether(n int) *sharedProgress {
	bar := p.StartProgress()
	if bar == nil {
		return nil
	}
	t := &sharedProgress{program: p, bar: bar, startTime: time.Now()}
	t.state.TotalFiles = int64(n)
	return t
}

// End removes the bar.
func (t *sharedProgress) End() {
	if t != nil {
		t.program.EndProgress(t.bar)
	}
}

// Begin returns the progress of one more object. The total is complete when Begin was called for each
// object.
func (t *sharedProgress) Begin() *objectProgress {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.startCount++
	t.state.Listed = t.startCount == t.state.TotalFiles
	t.update()
	return &objectProgress{shared: t}
}

// update computes the rate and shows the state in the bar. The caller must hold t.mu.
func (t *sharedProgress) update() {
	t.state.Elapsed = time.Since(t.startTime)
	if t.state.Elapsed > 0 {
		t.state.Rate = float64(t.state.Bytes) / t.state.Elapsed.Seconds()
	}
	t.bar.Update(t.state)
}

// An objectProgress is the progress of one object of a sharedProgress.
type objectProgress struct {
	shared *sharedProgress
	done   int64 // bytes of the last report
	total  int64 // size of the last report, or 0 if it was not known
}

// Report adds to the shared progress what has changed since the last report. Its arguments are those
// of storage.WithProgress.
func (o *objectProgress) Report(done, total int64) {
	// An unknown total is negative.
	total = max(total, 0)

	o.shared.mu.Lock()
	defer o.shared.mu.Unlock()
	o.shared.state.Bytes += done - o.done
	o.shared.state.TotalBytes += total - o.total
	o.done = done
	o.total = total
	o.shared.update()
}

// End counts the object as transferred.
func (o *objectProgress) End() {
	o.shared.mu.Lock()
	defer o.shared.mu.Unlock()
	o.shared.state.Files++
	o.shared.update()
}
