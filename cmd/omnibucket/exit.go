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
	exitClosedPipe   = 128 + 13 // and of SIGPIPE
)

// maxComplaints bounds how much of a job's failures is printed.
const maxComplaints = 20

// A toldError has been printed already.
type toldError struct{ error }

func (e toldError) Unwrap() error { return e.error }

// invalid is an argument that breaks a rule.
func invalid(rule, hint string) error {
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New(rule), Hint: hint}
}

// verdict prints what went wrong, and is the exit code. What the output failed
// with comes first: the rest was given up because of it.
func (p *program) verdict(ctx context.Context, command *cobra.Command, err error) int {
	var told toldError
	switch {
	case p.out.err != nil && closedPipe(p.out.err):
		return exitClosedPipe
	case p.out.err != nil:
		p.complain(fmt.Errorf("the output cannot be written: %w", p.out.err))
		return exitFailure
	case err == nil:
		return 0
	case !p.began:
		p.complain(err)
		_, _ = fmt.Fprintf(p.err, "Run \"%s --help\" for usage.\n", command.CommandPath())
		return exitUsage
	case !errors.As(err, &told):
		p.complain(err)
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

// complain prints an error; of several that were joined, the first.
func (p *program) complain(err error) {
	told := 0
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if told == maxComplaints {
			_, _ = fmt.Fprintln(p.err, "omnibucket: and more")
			return
		}
		told++
		_, _ = fmt.Fprintf(p.err, "omnibucket: %s\n", printable(line))
	}
}
