package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
)

// The exit codes, as the root command's help has them.
const (
	exitFailure      = 1
	exitUsage        = 2
	exitNotFound     = 3
	exitPrecondition = 4
	exitInterrupted  = 128 + 2  // what a shell has of SIGINT
	exitBrokenPipe   = 128 + 13 // and of SIGPIPE
)

// maxPrintedErrors bounds how much of a job's failures is printed.
const maxPrintedErrors = 20

// A reportedError has been printed already.
type reportedError struct{ error }

func (e reportedError) Unwrap() error { return e.error }

// invalid is an argument that breaks a rule.
func invalid(rule, hint string) error {
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New(rule), Hint: hint}
}

// exitCodeFor prints what went wrong, and is the exit code. What the output failed
// with comes first: the rest was given up because of it.
func (p *program) exitCodeFor(ctx context.Context, command *cobra.Command, err error) int {
	var told reportedError
	switch {
	case p.out.err != nil && isBrokenPipe(p.out.err):
		return exitBrokenPipe
	case p.out.err != nil:
		p.printError(fmt.Errorf("the output cannot be written: %w", p.out.err))
		return exitFailure
	case err == nil:
		return 0
	case !p.parsed:
		p.printError(err)
		_, _ = fmt.Fprintf(p.err, "Run \"%s --help\" for usage.\n", command.CommandPath())
		return exitUsage
	case !errors.As(err, &told):
		p.printError(err)
	}
	if ctx.Err() != nil {
		return exitInterrupted
	}
	return exitCode(storage.CodeOf(err))
}

func exitCode(code storage.Code) int {
	switch code {
	case storage.InvalidArgument:
		return exitUsage
	case storage.ObjectNotFound, storage.BucketNotFound:
		return exitNotFound
	case storage.PreconditionFailed:
		return exitPrecondition
	}
	return exitFailure
}

// printError prints an error; of several that were joined, the first.
func (p *program) printError(err error) {
	told := 0
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if told == maxPrintedErrors {
			_, _ = fmt.Fprintln(p.err, "omnibucket: and more")
			return
		}
		told++
		_, _ = fmt.Fprintf(p.err, "omnibucket: %s\n", printable(line))
	}
}
