package program

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
)

// An Event says what a command did to one object or bucket, or would do with --dry-run. With --json
// it is printed as a line. docs/cli.md describes its fields.
type Event struct {
	Event       string `json:"event"` // such as "uploaded"
	Key         string `json:"key,omitempty"`
	Source      string `json:"source,omitempty"`
	Destination string `json:"destination,omitempty"`
	Bytes       int64  `json:"bytes,omitempty"`
	Version     string `json:"version,omitempty"`
	DryRun      bool   `json:"dryRun,omitempty"`

	Code  storage.Code `json:"code,omitempty"` // set if the event is a failure
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

	Forecast *forecast `json:"forecast,omitempty"` // set in a dry run
}

// A forecast describes the work that a job would do, in a dry run.
type forecast struct {
	Reads    int64 `json:"reads"`
	Writes   int64 `json:"writes"`
	Removals int64 `json:"removals"`
	Sent     int64 `json:"sent"`
	Received int64 `json:"received"`
	Needed   int64 `json:"needed"`
	Free     int64 `json:"free"` // bytes free at the destination; -1 if unknown
}

// Emit prints an event as JSON with --json, or as text with --verbose or --dry-run. Otherwise it prints nothing. Several
// goroutines may call it at the same time.
func (p *Program) Emit(e Event, text string) {
	e.DryRun = p.Global.DryRun

	p.printing.Lock()
	defer p.printing.Unlock()
	if p.Global.JSON {
		// ExitCodeFor reports a write error, which p.Out keeps.
		_ = p.Out.JSON(e)
		return
	}
	// A failure has no text here, because the command prints its errors when it ends.
	isFailure := e.Event == failedEvent
	if !isFailure && (p.Global.Verbose || p.Global.DryRun) {
		p.Out.Printf("%s\n", text)
	}
}

// A doneCount counts the files that CountDone has counted.
type doneCount struct {
	files int64
	text  string // what was done to the last one
}

// CountDone counts a file that the command has copied, moved or removed, for [Program.SummarizeDone].
// text says what was done, and must be printable.
func (p *Program) CountDone(text string) {
	p.printing.Lock()
	defer p.printing.Unlock()
	p.done.files++
	p.done.text = text
}

// SummarizeDone prints a summary of what a command did, on standard error. For one argument, it prints
// the text of [Program.CountDone], unless err says that the command failed. For several arguments, it
// prints the number of files and the verb, as in "3 deleted".
func (p *Program) SummarizeDone(verb string, arguments int, err error) {
	p.printing.Lock()
	done := p.done
	p.printing.Unlock()

	// The events say it already.
	printsEvents := p.Global.JSON || p.Global.Verbose || p.Global.DryRun
	if printsEvents {
		return
	}
	// A line of "omnibucket run" has no summary of its own.
	if p.InBatch || done.files == 0 {
		return
	}

	if arguments > 1 {
		p.Note("%d %s", done.files, verb)
	} else if err == nil {
		p.Note("%s", done.text)
	}
}

// FlushEvents writes the buffered events. If nobody reads the output any longer, it cancels the
// command's context.
func (p *Program) FlushEvents() {
	p.printing.Lock()
	defer p.printing.Unlock()
	p.Out.Flush()
}

const failedEvent = "failed"

// EmitFailure emits an event for the failure of one object. The command prints the error itself
// when it ends.
func (p *Program) EmitFailure(key string, err error) {
	p.Emit(Event{Event: failedEvent, Key: key, Code: storage.CodeOf(err), Error: p.Explain(err).What}, "")
}

// emitChange prints a change that a job made or, in a dry run, would make.
func (p *Program) emitChange(c transfer.Change) {
	if c.Action == transfer.Failed {
		p.EmitFailure(c.Key, c.Err)
		return
	}
	if c.Action == transfer.Unchanged && !p.Global.JSON && !p.Global.Verbose {
		// With --dry-run alone, unchanged files are not printed.
		return
	}
	p.Emit(
		Event{Event: string(c.Action), Key: c.Key, Bytes: c.Bytes},
		fmt.Sprintf("%s %s", c.Action, p.Out.Printable(c.Key)),
	)
}

// Summarize prints the report of a job in one line: with --json on standard output, and otherwise on
// standard error. If the job failed before it did anything, it prints nothing.
func (p *Program) Summarize(r *transfer.Report, err error) {
	if r == nil {
		return
	}
	if err != nil && IsEmpty(r) {
		return
	}

	if p.Global.JSON {
		// p.Out keeps a write error.
		_ = p.Out.JSON(summary{
			Event:       "summary",
			Transferred: r.Transferred,
			Skipped:     r.Skipped,
			Ignored:     r.Ignored,
			Deleted:     r.Deleted,
			Failed:      r.Failed,
			Bytes:       r.Bytes,
			Deletion:    r.DeletedBytes,
			Seconds:     r.Duration.Round(time.Millisecond).Seconds(),
			DryRun:      r.DryRun,
			Forecast:    (*forecast)(r.Forecast),
		})
		return
	}
	// The other lines of the report are failures, which are printed as errors.
	p.Note("%s", FirstLine(r.String()))
}

// IsEmpty reports whether all counts of a job's report are 0.
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
		text, _ := json.Marshal(noteLine{"note", line}) // Marshal never fails for text
		line = string(text)
	}
	_, _ = fmt.Fprintln(p.Around.Err, line)
}

// A noteLine is the line of JSON that Note prints with --json.
type noteLine struct {
	Event string `json:"event"` // "note"
	Note  string `json:"note"`
}
