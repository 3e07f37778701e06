package main

import (
	"fmt"
	"io"
	"sync"

	"github.com/omnibucket/storage/transfer"
)

// A progressLine shows the progress of a job in the last line of a terminal, and
// prints output above it. Its methods may be called by several goroutines at the same
// time.
type progressLine struct {
	mu       sync.Mutex
	to       io.Writer // standard error
	out      io.Writer
	terminal bool
	shown    bool
}

func newProgressLine(to, out io.Writer) *progressLine {
	return &progressLine{to: to, out: out, terminal: isTerminal(to)}
}

func (s *progressLine) progress(p transfer.Progress) {
	const width = 79 // of every terminal
	more := "+"      // the source is not completely listed, and may have more
	if p.Listed {
		more = ""
	}
	line := fmt.Sprintf("%d/%d%s files, %.1f/%.1f%s MiB, %.1f MiB/s", p.Files, p.TotalFiles, more, mebibytes(p.Bytes), mebibytes(p.TotalBytes), more, p.Rate/(1<<20))
	if p.Failed > 0 {
		line += fmt.Sprintf(", %d failed", p.Failed)
	}
	if runes := []rune(line + "  " + printable(p.Current)); len(runes) > width {
		line = string(runes[:width-1]) + "…"
	} else {
		line = string(runes)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprint(s.to, "\r\x1b[K", line)
	s.shown = true
}

// mebibytes uses the unit of transfer.Report.
func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

// print writes a line of output.
func (s *progressLine) print(line string) {
	s.clear()
	_, _ = io.WriteString(s.out, line)
}

// clear removes the line of progress.
func (s *progressLine) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown {
		_, _ = fmt.Fprint(s.to, "\r\x1b[K")
		s.shown = false
	}
}
