package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A printer prints sections, facts and tables. On a terminal, headings are bold.
type printer struct {
	w    io.Writer
	bold bool
}

// A fact is a line with a name and a value.
type fact struct{ name, value string }

const nameWidth = 14

func newPrinter(w io.Writer) *printer {
	return &printer{w: w, bold: isTerminal(w) && os.Getenv("NO_COLOR") == ""}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// line prints one line. It ignores errors, because the tour must remove its objects even if the
// output is closed.
func (p *printer) line(text string) { _, _ = fmt.Fprintln(p.w, strings.TrimRight(text, " ")) }

func (p *printer) heading(text string) string {
	if p.bold {
		return "\x1b[1m" + text + "\x1b[0m"
	}
	return text
}

// section prints the title of a section, and the call that this section shows.
func (p *printer) section(title, call string) {
	p.line("")
	p.line(p.heading(title))
	p.line("  " + call)
}

// facts prints names and values in two columns. If title is not "", it is printed first.
func (p *printer) facts(title string, facts ...fact) {
	indent := "    "
	if title != "" {
		p.line(p.heading(title))
		indent = "  "
	}
	for _, f := range facts {
		p.line(indent + pad(f.name, nameWidth) + "  " + f.value)
	}
}

// table prints rows in columns. The first column is aligned to the left, and the others to the
// right.
func (p *printer) table(rows [][]string) {
	widths := []int{nameWidth} // the first column is at least as wide as the names of facts
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}

	for _, row := range rows {
		line := "    " + pad(row[0], widths[0])
		for i, cell := range row[1:] {
			line += "  " + strings.Repeat(" ", widths[i+1]-utf8.RuneCountInString(cell)) + cell
		}
		p.line(line)
	}
}

func (p *printer) summary(text string) {
	p.line("")
	p.line(p.heading(text))
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// amount formats a number of files and bytes, such as "12 files (3.4 MiB)".
func amount(files int, bytes int64) string { return count(files, "file") + " (" + size(bytes) + ")" }

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(int64(n)) + " " + noun + "s"
}

// size formats a number of bytes in the unit in which it has at most four digits.
func size(bytes int64) string {
	if bytes < 1024 {
		return strconv.FormatInt(bytes, 10) + " B"
	}
	value := float64(bytes)
	unit := -1
	for value >= 1024 && unit < 4 {
		value /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTP"[unit])
}

// grouped formats n with commas between thousands, such as 12,345.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// duration formats a time with about three digits.
func duration(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(100 * time.Microsecond).String()
	default:
		return d.Round(10 * time.Millisecond).String()
	}
}
