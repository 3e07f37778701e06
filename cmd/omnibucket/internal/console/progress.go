package console

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/cupwriter"
	"github.com/vbauerster/mpb/v8"
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
	files bool // true if the job has several files
}

// assumedWidth is the width of a terminal that does not report one, such as the terminal of a
// container.
const assumedWidth = 80

// NewProgressBar returns a progress bar that is drawn on a terminal.
func NewProgressBar(terminal io.Writer, opts ...mpb.ContainerOption) *ProgressBar {
	const barColumns = 22 // without the text beside the bar
	b := &ProgressBar{}

	options := []mpb.ContainerOption{mpb.WithOutput(terminal), mpb.WithRefreshRate(100 * time.Millisecond)}
	if !hasSize(terminal) {
		// mpb would draw nothing in 0 columns. It does not ask a writer that is not a file for its size.
		notFile := struct{ io.Writer }{terminal}
		options = append(options, mpb.WithOutput(notFile), mpb.WithWidth(assumedWidth), mpb.WithAutoRefresh())
	}

	b.Screen = mpb.New(append(options, opts...)...)
	b.Bar = b.Screen.New(
		0, mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]"),
		mpb.BarWidth(barColumns),
		mpb.BarRemoveOnComplete(),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return b.text() })),
	)
	return b
}

// hasSize reports whether mpb, which draws the bar, can find the size of a terminal. For a writer that is not a file,
// mpb assumes a size.
func hasSize(terminal io.Writer) bool {
	file, ok := terminal.(*os.File)
	if !ok {
		return true
	}

	screen := cupwriter.New(file, false)
	if !screen.IsTerminal() {
		return false
	}
	width, height, err := screen.GetTermSize()
	return err == nil && width > 0 && height > 0
}

// Update shows the progress of a job that transfers files.
func (b *ProgressBar) Update(state transfer.Progress) {
	b.mu.Lock()
	b.state = state
	b.files = true
	b.mu.Unlock()
	b.show(state)
}

// Bytes returns an option for the transfer of one object, which makes the bar show its progress.
func (b *ProgressBar) Bytes() storage.TransferOption {
	start := time.Now()
	return storage.WithProgress(func(done, total int64) {
		// The total is -1 while it is not known.
		elapsed := time.Since(start)
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

// show moves the bar to the share of the bytes that are done, or of the files if there are no bytes to transfer.
func (b *ProgressBar) show(state transfer.Progress) {
	done := state.Bytes
	total := state.TotalBytes
	if total == 0 {
		done = state.Files
		total = state.TotalFiles
	}

	// mpb removes a bar that has reached its total, so a larger total keeps the bar until the job ends.
	b.Bar.SetTotal(total+1, false)
	b.Bar.SetCurrent(min(done, total))
}

// text returns what stands to the right of the bar: files, bytes, rate, remaining time and failures.
func (b *ProgressBar) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.state

	plus := ""
	if !s.Listed {
		// The listing of the source has not ended, so there may be more files.
		plus = "+"
	}

	line := " "
	if b.files {
		line += fmt.Sprintf("%d/%d%s files, ", s.Files, s.TotalFiles, plus)
	}
	line += FormatSize(s.Bytes)
	// The total of standard input is never known, so it is not shown.
	if s.Listed || s.TotalBytes > s.Bytes {
		line += "/" + FormatSize(s.TotalBytes) + plus
	}
	line += fmt.Sprintf(", %s/s, ETA %s", FormatSize(int64(s.Rate)), remainingTime(s))
	if s.Failed > 0 {
		line += fmt.Sprintf(", %d failed", s.Failed)
	}
	return line
}

// remainingTime returns how long a job will still take, such as "1:02:03" or "2:03", or "-" if that is not known.
func remainingTime(s transfer.Progress) string {
	const maxSeconds = 99 * 60 * 60 // so that the hours have at most two digits
	if !s.Listed || s.Rate < 1 || s.TotalBytes < s.Bytes {
		return "-"
	}
	seconds := float64(s.TotalBytes-s.Bytes) / s.Rate
	if seconds > maxSeconds {
		return "-"
	}

	d := time.Duration(seconds * float64(time.Second)).Round(time.Second)
	if d >= time.Hour {
		return fmt.Sprintf("%d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}
