// Package program has the parts that all commands share: global flags, open buckets, walks, output
// and exit codes.
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
	"github.com/omnibucket/storage/locations"
)

// Environment holds what a program needs from its process: input, output and environment variables.
type Environment struct {
	In     io.Reader
	Out    io.Writer
	Err    io.Writer
	Lookup func(name string) (value string, set bool) // returns an environment variable
	Ends   bool                                       // true if the process ends after this command
}

// A Program is one run of one command.
type Program struct {
	Around   Environment
	Out      *console.Output
	printing sync.Mutex // held while a goroutine prints lines
	Stores   Stores
	InBatch  bool // true if the command is a line of "omnibucket run"
	done     doneCount
	Together *sharedProgress // progress of several objects in one bar, or nil
	Command  *cobra.Command  // nil if the command line is invalid
	Global   globalFlags
}

// New returns a program that prints to output. It uses the open buckets in shared, unless shared is
// nil.
func New(around Environment, output *console.Output, shared *OpenBuckets) *Program {
	p := &Program{Around: around, Out: output}
	p.Stores = Stores{
		Config:      &locations.Config{},
		Lookup:      around.Lookup,
		Buckets:     cmp.Or(shared, &OpenBuckets{}),
		flags:       &p.Global,
		isTemporary: around.Ends, // whether a store in memory is lost after this command
	}
	return p
}

// WantsJSON reports whether the environment or the arguments ask for JSON. It is for arguments that
// could not be parsed.
func (p *Program) WantsJSON(args []string) bool {
	text, _ := p.Around.Lookup(config.SettingVariable("json"))
	for _, arg := range args {
		if arg == "--json" {
			text = "true"
		} else if value, ok := strings.CutPrefix(arg, "--json="); ok {
			text = value
		}
	}
	// An invalid value counts as false.
	wantsJSON, _ := strconv.ParseBool(text)
	return wantsJSON
}

// Each calls do for each argument. After a failure it prints the error and continues. It returns the
// first error.
func Each[T any](ctx context.Context, p *Program, arguments []T, do func(argument T) error) error {
	f := failures{program: p}
	for _, argument := range arguments {
		if err := f.add(ctx, do(argument)); err != nil {
			return err
		}
	}
	return f.first
}

// EachAtOnce calls work for the arguments in parallel, and then each function that work returned, in
// the order of the arguments. After a failure it prints the error and continues. It returns the first
// error.
func EachAtOnce[T any](
	ctx context.Context, p *Program, arguments []T, work func(ctx context.Context, argument T) (report func() error),
) error {
	queue := p.NewQueue(ctx)
	defer queue.Cancel()
	for _, argument := range arguments {
		err := queue.Add(func(ctx context.Context) (report func() error) {
			return work(ctx, argument)
		})
		if err != nil {
			return err
		}
	}
	return queue.Wait()
}

// failures collects the errors of a command that continues after an error.
type failures struct {
	program *Program
	first   error // first error that was printed, or nil
}

// add prints err, if it is not nil, and returns nil, so that the command continues. If ctx is done, it
// only returns err, which ends the command.
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
