package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/joined"
)

// The exit codes, which the help of the root command lists.
const (
	exitFailure      = 1
	exitUsage        = 2
	exitNotFound     = 3
	exitPrecondition = 4
	exitInterrupted  = 128 + 2  // as a shell reports SIGINT
	exitBrokenPipe   = 128 + 13 // as a shell reports SIGPIPE
)

// maxPrintedErrors limits the printed errors of a job.
const maxPrintedErrors = 20

// A reportedError has been printed.
type reportedError struct{ error }

func (e reportedError) Unwrap() error { return e.error }

// invalid returns the error of an invalid argument.
func invalid(rule, hint string) error {
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New(rule), Hint: hint}
}

// inLines returns an error that is printed in a line for each error that err joins.
func inLines(err error) error { return errors.Join(joined.Errors(err)...) }

// exitCodeFor prints err and returns the exit code. An error of the output comes
// first, because it ended the command.
func (p *program) exitCodeFor(ctx context.Context, command *cobra.Command, err error) int {
	var reported reportedError
	switch {
	case p.out.err != nil && isBrokenPipe(p.out.err):
		return exitBrokenPipe
	case p.out.err != nil:
		p.printError(fmt.Errorf("writing the output: %w", p.out.err))
		return exitFailure
	case err == nil:
		return 0
	case p.command == nil:
		p.printUsageError(withSuggestion(err), fmt.Sprintf("Run \"%s --help\" for usage.", command.CommandPath()))
		return exitUsage
	case !errors.As(err, &reported):
		p.printError(err)
	}
	if ctx.Err() != nil {
		return exitInterrupted
	}
	var status exitStatus
	if errors.As(err, &status) {
		return int(status)
	}
	return exitCode(storage.CodeOf(err))
}

// printUsageError prints the error of an invalid command line, and what shows the valid ones.
func (p *program) printUsageError(err error, usage string) {
	if !p.global.json {
		p.printError(err)
		_, _ = fmt.Fprintln(p.err, usage)
		return
	}
	var own *storage.Error
	if !errors.As(err, &own) {
		err = &storage.Error{Code: storage.InvalidArgument, Err: err, Hint: usage}
	}
	p.printError(err)
}

// withSuggestion returns the error of an unknown command with cobra's suggestions as a hint.
// Cobra repeats a name that both resembles the command and is a suggestion for it.
func withSuggestion(err error) error {
	what, others, suggested := strings.Cut(err.Error(), "\n\nDid you mean this?\n")
	if !suggested {
		return err
	}
	names := strings.Fields(others)
	slices.Sort(names)
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New(what), Hint: "did you mean " + strings.Join(slices.Compact(names), " or ") + "?"}
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

// printError prints an error on standard error: what happened, with a line for each of joined
// errors, and then what to do. With --json it is a line of JSON.
func (p *program) printError(err error) {
	p.printing.Lock()
	defer p.printing.Unlock()
	x := p.explain(err)
	if p.global.json {
		text, _ := json.Marshal(errorLine{"error", storage.CodeOf(err), x.what, x.hints, x.requests}) // text never fails
		_, _ = fmt.Fprintf(p.err, "%s\n", text)
		return
	}
	printed := 0
	for line := range strings.SplitSeq(x.what, "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if printed == maxPrintedErrors {
			_, _ = fmt.Fprintln(p.err, "omnibucket: and more")
			break
		}
		printed++
		_, _ = fmt.Fprintf(p.err, "omnibucket: %s\n", printable(line))
	}
	for i, hint := range x.hints {
		if i == maxPrintedErrors {
			break
		}
		_, _ = fmt.Fprintf(p.err, "hint: %s\n", printable(hint))
	}
	for i, id := range x.requests {
		if i == maxPrintedErrors {
			break
		}
		_, _ = fmt.Fprintf(p.err, "request: %s\n", printable(id))
	}
}

// An errorLine is an error with --json, on standard error.
type errorLine struct {
	Event string       `json:"event"` // "error"
	Code  storage.Code `json:"code,omitempty"`
	Error string       `json:"error"`
	Hints []string     `json:"hints,omitempty"`

	Requests []string `json:"requests,omitempty"` // their ids, with --verbose
}
