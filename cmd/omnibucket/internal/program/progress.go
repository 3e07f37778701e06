package program

import (
	"sync"
	"time"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/transfer"
)

// StartProgress returns a progress bar. It returns nil if there is no terminal, or if a flag turns
// progress off.
func (p *Program) StartProgress() *console.ProgressBar {
	if !console.IsTerminal(p.Around.Err) || p.Global.quiet || p.Global.noProgress {
		return nil
	}
	if p.Global.JSON && p.Out.Terminal {
		// The bar would be mixed with the lines of JSON.
		return nil
	}
	b := console.NewProgressBar(p.Around.Err)
	p.Out.Redirect(b.Screen)
	return b
}

// EndProgress removes a bar, which may be nil.
func (p *Program) EndProgress(b *console.ProgressBar) {
	if b == nil {
		return
	}
	p.Out.Redirect(nil)
	b.Bar.Abort(true)
	b.Screen.Wait()
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

// StartTogether returns one bar for n objects. It returns nil if there is no terminal, or if a flag
// turns progress off.
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

// Begin returns two functions for one object. report updates the object's progress, as for
// storage.WithProgress, and end counts the object as done. The total is complete only after Begin
// was called for every object.
func (t *sharedProgress) Begin() (report func(done, total int64), end func()) {
	var shown, known int64
	t.add(func(s *transfer.Progress) {
		t.startCount++
		s.Listed = t.startCount == s.TotalFiles
	})
	report = func(done, total int64) {
		t.add(func(s *transfer.Progress) {
			s.Bytes += done - shown
			s.TotalBytes += max(total, 0) - known
		})
		shown = done
		known = max(total, 0)
	}
	return report, func() {
		t.add(func(s *transfer.Progress) {
			s.Files++
		})
	}
}

// add applies change to the progress of all objects, and updates the bar.
func (t *sharedProgress) add(change func(*transfer.Progress)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.state)
	t.state.Elapsed = time.Since(t.startTime)
	if t.state.Elapsed > 0 {
		t.state.Rate = float64(t.state.Bytes) / t.state.Elapsed.Seconds()
	}
	t.bar.Update(t.state)
}
