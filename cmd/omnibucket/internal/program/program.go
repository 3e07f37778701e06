// Package program is what all commands share: the flags of every command, open buckets, walks, output and
// exit codes.
package program

import (
	"cmp"
	"context"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/config"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
)

// Environment is the input, output and environment of a program.
type Environment struct {
	In     io.Reader
	Out    io.Writer
	Err    io.Writer
	Lookup func(name string) (value string, set bool) // an environment variable
	Ends   bool                                       // the process ends with the command, and what it has in memory
}

// A Program is one run of one command.
type Program struct {
	Around   Environment
	Out      *console.Output
	printing sync.Mutex // of lines that several goroutines print
	Stores   Stores
	InBatch  bool           // a line of run
	Together *together      // the progress of several objects, or nil
	Command  *cobra.Command // nil means the command line is invalid
	Global   globalFlags
}

// New returns a program that prints to out. It uses the open buckets of another one, unless shared is nil.
func New(around Environment, out *console.Output, shared *OpenBuckets) *Program {
	p := &Program{Around: around, Out: out}
	p.Stores = Stores{
		Lookup: around.Lookup, Buckets: cmp.Or(shared, &OpenBuckets{}), flags: &p.Global, ends: around.Ends,
	}
	return p
}

// WantsJSON reports whether arguments that are invalid, or the environment, ask for JSON.
func (p *Program) WantsJSON(args []string) bool {
	text, _ := p.Around.Lookup(config.SettingVariable("json"))
	for _, arg := range args {
		if arg == "--json" {
			text = "true"
		} else if value, ok := strings.CutPrefix(arg, "--json="); ok {
			text = value
		}
	}
	wants, err := strconv.ParseBool(text)
	return wants && err == nil
}

// Each calls do for each argument. After a failure it prints the error and continues.
// It returns the first error.
func Each[T any](ctx context.Context, p *Program, arguments []T, do func(argument T) error) error {
	failed := failures{program: p}
	for _, argument := range arguments {
		if err := failed.add(ctx, do(argument)); err != nil {
			return err
		}
	}
	return failed.first
}

// EachAtOnce is Each for work in parallel. The functions that the work returns are called in the
// order of the arguments.
func EachAtOnce[T any](
	ctx context.Context, p *Program, arguments []T, work func(ctx context.Context, argument T) (finish func() error),
) error {
	q := p.NewQueue(ctx)
	defer q.Cancel()
	for _, argument := range arguments {
		if err := q.Add(func(ctx context.Context) func() error { return work(ctx, argument) }); err != nil {
			return err
		}
	}
	return q.Wait()
}

// failures are the errors of a command that continues after them.
type failures struct {
	program *Program
	first   error // that was printed, or nil
}

// add prints an error, which may be nil. It returns the error if ctx is done: the command ends.
func (f *failures) add(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	f.program.PrintError(err)
	if f.first == nil {
		f.first = reportedError{err}
	}
	return nil
}
