package main

import (
	"fmt"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
)

// globalFlags are the flags of every command.
type globalFlags struct {
	dryRun, json, verbose, quiet bool
	concurrency                  int
}

func (f *globalFlags) register(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.BoolVar(&f.dryRun, "dry-run", false, "print changes without making them")
	flags.BoolVar(&f.json, "json", false, "print a JSON object in each line")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "print each change, and request ids in errors")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print no progress, summaries or notes")
	flags.IntVar(&f.concurrency, "concurrency", 0, "`number` of parallel requests (default: as many as help)")
}

// An event is what a command did to one object or bucket, or would do with --dry-run.
type event struct {
	Event       string `json:"event"`
	Key         string `json:"key,omitempty"`
	Source      string `json:"source,omitempty"`
	Destination string `json:"destination,omitempty"`
	Bytes       int64  `json:"bytes,omitempty"`
	Version     string `json:"version,omitempty"`
	DryRun      bool   `json:"dryRun,omitempty"`

	Code  storage.Code `json:"code,omitempty"`
	Error string       `json:"error,omitempty"`
}

var printing sync.Mutex

func (p *program) emit(e event, text string) {
	e.DryRun = p.global.dryRun
	printing.Lock()
	defer printing.Unlock()
	switch {
	case p.global.json:
		_ = p.json(e)
	case p.global.verbose || p.global.dryRun:
		p.printf("%s\n", text)
	}
}

func (p *program) emitRemoved(key string, size int64) {
	p.emit(event{Event: "removed", Key: key, Bytes: size}, p.printable(key))
}

func (p *program) emitChange(c transfer.Change) {
	if c.Action != transfer.Failed {
		p.emit(event{Event: string(c.Action), Key: c.Key, Bytes: c.Bytes}, fmt.Sprintf("%s %s", c.Action, p.printable(c.Key)))
	}
}

func (p *program) note(format string, arguments ...any) {
	if !p.global.quiet {
		_, _ = fmt.Fprintf(p.err, format+"\n", arguments...)
	}
}

func (p *program) summarize(r *transfer.Report) {
	if r != nil {
		line, _, _ := strings.Cut(r.String(), "\n")
		p.note("%s", line)
	}
}

func (p *program) jobOptions() []transfer.Option {
	var opts []transfer.Option
	if p.global.concurrency > 0 {
		opts = append(opts, transfer.WithConcurrency(p.global.concurrency))
	}
	if p.global.dryRun {
		opts = append(opts, transfer.WithDryRun())
	}
	if p.global.dryRun || p.global.json || p.global.verbose {
		opts = append(opts, transfer.WithChanges(p.emitChange))
	}
	return opts
}

func (p *program) runJob(run func(opts ...transfer.Option) (*transfer.Report, error)) (*transfer.Report, error) {
	return run(p.jobOptions()...)
}
