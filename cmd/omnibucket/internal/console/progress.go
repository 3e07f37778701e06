package console

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/cwriter"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
)

// A ProgressBar shows the progress of a job, or of one large object, in the last line of a
// terminal. Output is printed above it.
type ProgressBar struct {
	Screen *mpb.Progress
	Bar    *mpb.Bar

	mu    sync.Mutex
	state transfer.Progress
	files bool // whether the job has more than one file
}

// assumedWidth is the width of a terminal that does not report one, such as the terminal of a
// container.
const assumedWidth = 80

// NewProgressBar returns a bar on a terminal.
func NewProgressBar(terminal io.Writer, opts ...mpb.ContainerOption) *ProgressBar {
	b := &ProgressBar{}
	own := []mpb.ContainerOption{mpb.WithOutput(terminal), mpb.WithRefreshRate(100 * time.Millisecond)}
	if !hasSize(terminal) { // mpb would draw nothing in 0 columns
		own = append(own, mpb.WithOutput(struct{ io.Writer }{terminal}), mpb.WithWidth(assumedWidth),
			mpb.WithAutoRefresh())
	}
	b.Screen = mpb.New(append(own, opts...)...)
	b.Bar = b.Screen.New(
		0, mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]"),
		mpb.BarWidth(
			22,
		),
		mpb.BarRemoveOnComplete(),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return b.text() })),
	)
	return b
}

func hasSize(terminal io.Writer) bool {
	file, ok := terminal.(*os.File)
	if !ok {
		return true // of mpb's own default
	}
	width, height, err := cwriter.GetSize(int(file.Fd()))
	return err == nil && width > 0 && height > 0
}

// Update shows the progress of a job.
func (b *ProgressBar) Update(state transfer.Progress) {
	b.mu.Lock()
	b.state, b.files = state, true
	b.mu.Unlock()
	b.show(state)
}

// Bytes returns an option that shows the progress of one object.
func (b *ProgressBar) Bytes() storage.TransferOption {
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
func (b *ProgressBar) show(state transfer.Progress) {
	done, total := state.Bytes, state.TotalBytes
	if total == 0 {
		done, total = state.Files, state.TotalFiles
	}
	b.Bar.SetTotal(total+1, false)
	b.Bar.SetCurrent(min(done, total))
}

// text returns what is written after the bar.
func (b *ProgressBar) text() string {
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
	line += FormatSize(s.Bytes)
	if s.Listed || s.TotalBytes > s.Bytes { // of standard input, the total is not known
		line += "/" + FormatSize(s.TotalBytes) + more
	}
	line += fmt.Sprintf(", %s/s, ETA %s", FormatSize(int64(s.Rate)), remaining(s))
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
