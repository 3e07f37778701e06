package program

import (
	"strings"

	"github.com/omnibucket/storage/transfer"
)

// RunJob runs a job of package transfer with the options of the global flags, and shows its
// progress.
func (p *Program) RunJob(run func(opts ...transfer.Option) (*transfer.Report, error)) (*transfer.Report, error) {
	opts := p.jobOptions()
	bar := p.StartProgress()
	if bar != nil {
		opts = append(opts, transfer.WithProgress(bar.Update))
	}
	report, err := run(opts...)
	p.EndProgress(bar)
	return report, err
}

// jobOptions returns the options of a job that the global flags ask for.
func (p *Program) jobOptions() []transfer.Option {
	var opts []transfer.Option
	if p.Global.Concurrency > 0 {
		opts = append(opts, transfer.WithConcurrency(p.Global.Concurrency))
	}
	if p.Global.DryRun {
		opts = append(opts, transfer.WithDryRun())
	}
	if p.Global.DryRun || p.Global.JSON || p.Global.Verbose {
		opts = append(opts, transfer.WithChanges(p.emitChange))
	}
	return opts
}

// FirstLine returns the first line of a text.
func FirstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
