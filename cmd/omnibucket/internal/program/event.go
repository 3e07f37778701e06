package program

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
)

// An Event is what a command did to one object or bucket, or would do with --dry-run. It is
// a line of --json; docs/cli.md describes its fields.
type Event struct {
	Event       string `json:"event"` // such as "uploaded"
	Key         string `json:"key,omitempty"`
	Source      string `json:"source,omitempty"`
	Destination string `json:"destination,omitempty"`
	Bytes       int64  `json:"bytes,omitempty"`
	Version     string `json:"version,omitempty"`
	DryRun      bool   `json:"dryRun,omitempty"`

	Code  storage.Code `json:"code,omitempty"` // of a failure
	Error string       `json:"error,omitempty"`
}

// A summary is the last line of a job with --json.
type summary struct {
	Event       string  `json:"event"` // "summary"
	Transferred int64   `json:"transferred"`
	Skipped     int64   `json:"skipped"`
	Ignored     int64   `json:"ignored"`
	Deleted     int64   `json:"deleted"`
	Failed      int64   `json:"failed"`
	Bytes       int64   `json:"bytes"`
	Deletion    int64   `json:"deletedBytes"`
	Seconds     float64 `json:"seconds"`
	DryRun      bool    `json:"dryRun,omitempty"`

	Forecast *forecast `json:"forecast,omitempty"` // of a dry run
}

// A forecast is what a dry run says of the work of a job.
type forecast struct {
	Reads    int64 `json:"reads"`
	Writes   int64 `json:"writes"`
	Removals int64 `json:"removals"`
	Sent     int64 `json:"sent"`
	Received int64 `json:"received"`
	Needed   int64 `json:"needed"`
	Free     int64 `json:"free"` // -1: not known
}

// Emit reports an event: as a line of JSON, or with --verbose or --dry-run as text. Several
// goroutines may call it at the same time.
func (p *Program) Emit(e Event, text string) {
	e.DryRun = p.Global.DryRun
	p.printing.Lock()
	defer p.printing.Unlock()
	switch {
	case p.Global.JSON:
		_ = p.Out.JSON(e) // p.out keeps the error
	case e.Event != failedEvent && (p.Global.Verbose || p.Global.DryRun):
		p.Out.Printf("%s\n", text)
	}
}

// FlushEvents writes what was reported. If nobody reads it, the context ends.
func (p *Program) FlushEvents() {
	p.printing.Lock()
	defer p.printing.Unlock()
	p.Out.Flush()
}

const failedEvent = "failed"

// EmitFailure reports the failure of one object. Its error is printed at the end.
func (p *Program) EmitFailure(key string, err error) {
	p.Emit(Event{Event: failedEvent, Key: key, Code: storage.CodeOf(err), Error: p.Explain(err).What}, "")
}

// emitChange reports a change of a job.
func (p *Program) emitChange(c transfer.Change) {
	if c.Action == transfer.Failed {
		p.EmitFailure(c.Key, c.Err)
		return
	}
	if c.Action == transfer.Unchanged && !p.Global.JSON && !p.Global.Verbose {
		return
	}
	p.Emit(
		Event{Event: string(c.Action), Key: c.Key, Bytes: c.Bytes},
		fmt.Sprintf("%s %s", c.Action, p.Out.Printable(c.Key)),
	)
}

// Summarize prints the report of a job: with --json as a line of standard output, otherwise
// on standard error. A job that ended with err before it did anything has none.
func (p *Program) Summarize(r *transfer.Report, err error) {
	switch {
	case r == nil, err != nil && IsEmpty(r):
	case p.Global.JSON:
		_ = p.Out.JSON(summary{
			Event: "summary", Transferred: r.Transferred, Skipped: r.Skipped, Ignored: r.Ignored, Deleted: r.Deleted,
			Failed: r.Failed,
			Bytes:  r.Bytes, Deletion: r.DeletedBytes, Seconds: r.Duration.Round(time.Millisecond).Seconds(),
			DryRun:   r.DryRun,
			Forecast: (*forecast)(r.Forecast),
		})
	default:
		p.Note("%s", FirstLine(r.String())) // failures are printed as errors
	}
}

// IsEmpty reports whether a job counted nothing.
func IsEmpty(r *transfer.Report) bool {
	return r.Transferred+r.Skipped+r.Ignored+r.Deleted+r.Failed == 0
}

// Note prints a line on standard error, unless --quiet was given.
func (p *Program) Note(format string, arguments ...any) {
	if p.Global.quiet {
		return
	}
	line := fmt.Sprintf(format, arguments...)
	p.printing.Lock()
	defer p.printing.Unlock()
	if p.Global.JSON {
		text, _ := json.Marshal(noteLine{"note", line}) // text never fails
		line = string(text)
	}
	_, _ = fmt.Fprintln(p.Around.Err, line)
}

// A noteLine is a note with --json, on standard error.
type noteLine struct {
	Event string `json:"event"` // "note"
	Note  string `json:"note"`
}
