package main

import (
	"strings"

	"github.com/omnibucket/storage/transfer"
)

// runJob runs a job of package transfer with the options of the global flags, and shows its
// progress.
func (p *program) runJob(run func(opts ...transfer.Option) (*transfer.Report, error)) (*transfer.Report, error) {
	opts := p.jobOptions()
	bar := p.startProgress()
	if bar != nil {
		opts = append(opts, transfer.WithProgress(bar.update))
	}
	report, err := run(opts...)
	p.endProgress(bar)
	return report, err
}

// jobOptions returns the options of the global flags.
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

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
