package program

import (
	"encoding/json"
	"fmt"

	"text/tabwriter"
	"time"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
)

// Printf prints to standard output, which keeps the error.
func (p *Program) Printf(format string, arguments ...any) {
	_, _ = fmt.Fprintf(p.Out, format, arguments...)
}

// JSON prints one object in a line.
func (p *Program) JSON(value any) error {
	encoder := json.NewEncoder(p.Out)
	encoder.SetEscapeHTML(false) // signed URLs contain "&"
	return encoder.Encode(value)
}

// Printable returns a name as it is printed: without control characters if standard
// output is a terminal.
func (p *Program) Printable(name string) string {
	if p.Out.Terminal {
		return console.Printable(name)
	}
	return name
}

// Table prints aligned names and values, except for empty values.
func (p *Program) Table(rows [][2]string) error {
	w := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		if row[1] != "" {
			_, _ = fmt.Fprintf(w, "%s\t%s\n", row[0], p.Printable(row[1]))
		}
	}
	return w.Flush()
}

// StartProgress returns a bar, or nil if there is no terminal or the user wants none.
func (p *Program) StartProgress() *console.ProgressBar {
	if !console.IsTerminal(p.Around.Err) || p.Global.quiet || p.Global.noProgress || p.Global.JSON && p.Out.Terminal {
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

// FormatTime returns a time in the format of all commands, or "-" if the store has
// none.
func FormatTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// FormatTimeIfSet returns a time, or "" if it is not set.
func FormatTimeIfSet(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return FormatTime(t)
}
