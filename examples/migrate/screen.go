package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/omnibucket/storage/transfer"
)

const (
	// columns is the width of the line with the bar. Every terminal is at least so wide.
	columns = 79
	// plainEvery is the time between two progress lines if the output is not a terminal.
	plainEvery = 5 * time.Second
)

// A screen shows the progress of the migration. On a terminal it redraws a bar;
// otherwise it writes a line every few seconds. Several goroutines may call its
// methods at the same time.
type screen struct {
	mu       sync.Mutex
	out      io.Writer
	terminal bool
	bar      string // text of the bar that the terminal shows
	last     time.Duration
}

func newScreen(w io.Writer) *screen {
	s := &screen{out: w}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		s.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
	}
	return s
}

func (s *screen) progress(p transfer.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.terminal {
		s.draw(bar(p))
	} else if !p.Done && p.Elapsed-s.last >= plainEvery {
		s.last = p.Elapsed
		_, _ = fmt.Fprintln(s.out, plain(p))
	}
}

// change returns a function that prints failures and, in a dry run, every change.
func (s *screen) change(dryRun bool) func(transfer.Change) {
	return func(c transfer.Change) {
		switch {
		case c.Action == transfer.Failed:
			s.line(fmt.Sprintf("Failed: %q: %s", c.Key, printable(c.Err.Error())))
		case dryRun && c.Action == transfer.Deleted:
			s.line(fmt.Sprintf("Would delete: %q", c.Key))
		case dryRun:
			s.line(fmt.Sprintf("Would upload: %q (%s)", c.Key, size(c.Bytes)))
		}
	}
}

// line writes a line above the bar.
func (s *screen) line(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.bar
	s.draw("")
	_, _ = fmt.Fprintln(s.out, text)
	s.draw(was)
}

// done ends the line with the bar, so that later output begins on a new line.
func (s *screen) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar != "" {
		_, _ = fmt.Fprintln(s.out)
		s.bar = ""
	}
}

// draw replaces the bar on the terminal.
func (s *screen) draw(bar string) {
	if s.terminal && (bar != "" || s.bar != "") {
		_, _ = fmt.Fprint(s.out, "\r\x1b[K"+bar)
	}
	s.bar = bar
}

// bar returns a line with a progress bar, the amount, the rate and the current file.
func bar(p transfer.Progress) string {
	const width = 20
	share := fraction(p)
	filled := int(share * width)
	text := fmt.Sprintf("[%s%s] %3.0f%%  %s  ", strings.Repeat("#", filled), strings.Repeat(".", width-filled),
		share*100, plain(p))
	return cut(text+printable(p.Current), columns)
}

// plain returns the progress as text, without a bar.
func plain(p transfer.Progress) string {
	// The total is not known yet, because the directory is still being read.
	suffix := "+"
	if p.Listed {
		suffix = ""
	}
	text := fmt.Sprintf(
		"%d/%d%s files, %s/%s%s, %s/s", p.Files, p.TotalFiles, suffix, size(p.Bytes), size(p.TotalBytes), suffix,
		size(int64(p.Rate)),
	)
	if p.Failed > 0 {
		text += fmt.Sprintf(", %d failed", p.Failed)
	}
	return text
}

// fraction returns how much of the migration is done, from 0 to 1. It compares bytes. If all files
// are empty, it compares the number of files.
func fraction(p transfer.Progress) float64 {
	if p.Done {
		return 1 // a dry run copies nothing
	}
	if p.TotalBytes > 0 {
		return min(1, float64(p.Bytes)/float64(p.TotalBytes))
	}
	if p.TotalFiles > 0 {
		return float64(p.Files) / float64(p.TotalFiles)
	}
	return 0
}

// printable replaces characters that a terminal would interpret, or that could
// disguise the rest of the text.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return '?'
		}
		return r
	}, text)
}

// cut shortens text to at most limit characters.
func cut(text string, limit int) string {
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return text
}

func size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value := float64(n) / unit
	exponent := 0
	for ; value >= unit && exponent < 5; exponent++ {
		value /= unit
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTPE"[exponent])
}
