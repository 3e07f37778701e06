package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
)

// A progressBar shows the progress of a job, or of one large object, in the last line of a
// terminal. Output is printed above it.
type progressBar struct {
	screen *mpb.Progress
	bar    *mpb.Bar

	mu    sync.Mutex
	state transfer.Progress
	files bool // whether the job has more than one file
}

// startProgress returns a bar, or nil if there is no terminal or the user wants none.
func (p *program) startProgress() *progressBar {
	if !isTerminal(p.err) || p.global.quiet || p.global.noProgress || p.global.json && p.out.terminal {
		return nil
	}
	b := newProgressBar(p.err)
	p.out.redirect(b.screen)
	return b
}

// endProgress removes a bar, which may be nil.
func (p *program) endProgress(b *progressBar) {
	if b == nil {
		return
	}
	p.out.redirect(nil)
	b.bar.Abort(true)
	b.screen.Wait()
}

func newProgressBar(terminal io.Writer, opts ...mpb.ContainerOption) *progressBar {
	b := &progressBar{}
	b.screen = mpb.New(append([]mpb.ContainerOption{mpb.WithOutput(terminal), mpb.WithRefreshRate(100 * time.Millisecond)}, opts...)...)
	b.bar = b.screen.New(0, mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]"),
		mpb.BarWidth(22), mpb.BarRemoveOnComplete(), mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return b.text() })))
	return b
}

// update shows the progress of a job.
func (b *progressBar) update(state transfer.Progress) {
	b.mu.Lock()
	b.state, b.files = state, true
	b.mu.Unlock()
	b.show(state)
}

// bytes returns an option that shows the progress of one object.
func (b *progressBar) bytes() storage.TransferOption {
	began := time.Now()
	return storage.WithProgress(func(done, total int64) {
		elapsed := time.Since(began)
		state := transfer.Progress{Bytes: done, TotalBytes: max(total, 0), Listed: total >= 0, Elapsed: elapsed}
		if elapsed > 0 {
			state.Rate = float64(done) / elapsed.Seconds()
		}
		b.mu.Lock()
		b.state = state
		b.mu.Unlock()
		b.show(state)
	})
}

// show moves the bar by bytes or, if nothing has to be transferred, by files. The bar never
// completes itself.
func (b *progressBar) show(state transfer.Progress) {
	done, total := state.Bytes, state.TotalBytes
	if total == 0 {
		done, total = state.Files, state.TotalFiles
	}
	b.bar.SetTotal(total+1, false)
	b.bar.SetCurrent(min(done, total))
}

// text returns what is written after the bar.
func (b *progressBar) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, more := b.state, ""
	if !s.Listed { // the source may have more
		more = "+"
	}
	line := " "
	if b.files {
		line += fmt.Sprintf("%d/%d%s files, ", s.Files, s.TotalFiles, more)
	}
	line += fmt.Sprintf("%s/%s%s, %s/s, ETA %s", formatSize(s.Bytes), formatSize(s.TotalBytes), more, formatSize(int64(s.Rate)), remaining(s))
	if s.Failed > 0 {
		line += fmt.Sprintf(", %d failed", s.Failed)
	}
	return line
}

// remaining returns the time that a job will take, or "-" if that is not known.
func remaining(s transfer.Progress) string {
	if !s.Listed || s.Rate < 1 || s.TotalBytes < s.Bytes {
		return "-"
	}
	seconds := float64(s.TotalBytes-s.Bytes) / s.Rate
	if seconds > 99*3600 {
		return "-"
	}
	left := time.Duration(seconds * float64(time.Second)).Round(time.Second)
	if left >= time.Hour {
		return fmt.Sprintf("%d:%02d:%02d", int(left.Hours()), int(left.Minutes())%60, int(left.Seconds())%60)
	}
	return fmt.Sprintf("%d:%02d", int(left.Minutes()), int(left.Seconds())%60)
}
