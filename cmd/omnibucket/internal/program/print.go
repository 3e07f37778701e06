package program

import (
	"time"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
)

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
