package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/explain"
	"github.com/omnibucket/storage/internal/piecemeal"
)

// These are the exit codes, which the help of the root command lists.
const (
	exitFailure      = 1
	ExitUsage        = 2
	ExitNotFound     = 3
	exitPrecondition = 4
	exitInterrupted  = 128 + 2  // as a shell reports SIGINT
	exitBrokenPipe   = 128 + 13 // as a shell reports SIGPIPE
)

// maxPrintedErrors is the largest number of a job's errors that are printed.
const maxPrintedErrors = 20

// A reportedError is an error that has been printed, and must not be printed again.
type reportedError struct{ error }

func (e reportedError) Unwrap() error { return e.error }

// Reported marks err as printed, so that ExitCodeFor does not print it again.
func Reported(err error) error { return reportedError{err} }

// Multiline joins the errors in err again, without the text around them, so that each is printed on a line of its own.
func Multiline(err error) error { return errors.Join(piecemeal.Errors(err)...) }

// ExitCodeFor prints err and returns the exit code. If the output could not be written, that error
// counts instead, because it ended the command.
func (p *Program) ExitCodeFor(ctx context.Context, command *cobra.Command, err error) int {
	if p.Out.Err != nil {
		if console.IsBrokenPipe(p.Out.Err) {
			return exitBrokenPipe
		}
		p.PrintError(fmt.Errorf("writing the output: %w", p.Out.Err))
		return exitFailure
	}
	if err == nil {
		return 0
	}
	// No command has begun, so the command line is invalid.
	if p.Command == nil {
		p.printUsageError(withSuggestion(command, err), usageOf(command))
		return ExitUsage
	}

	var reported reportedError
	if !errors.As(err, &reported) {
		p.PrintError(err)
	}

	if ctx.Err() != nil {
		return exitInterrupted
	}
	var status ExitStatus
	if errors.As(err, &status) {
		return int(status)
	}
	return exitCode(storage.CodeOf(err))
}

// usageOf returns the usage of a command in one or two lines.
func usageOf(command *cobra.Command) string {
	usage := fmt.Sprintf("Run \"%s --help\" for usage.", command.CommandPath())
	if !command.HasParent() {
		return usage
	}
	return "usage: " + command.UseLine() + "\n" + usage
}

// printUsageError prints the error of an invalid command line with the usage of the command.
func (p *Program) printUsageError(err error, usage string) {
	if !p.Global.JSON {
		p.PrintError(err)
		_, _ = fmt.Fprintln(p.Around.Err, usage)
		return
	}

	// In JSON, the usage is the hint. An error of the program itself may have another hint.
	var storageErr *storage.Error
	if !errors.As(err, &storageErr) {
		err = &storage.Error{Code: storage.InvalidArgument, Err: err, Hint: usage}
	}
	p.PrintError(err)
}

// commandHints has, for names of other programs' commands, a hint that is more than the name of a
// command.
var commandHints = map[string]string{
	"alias":          "use config add NAME LOCATION, and config list",
	"anonymous":      "use bucket --public on for a whole bucket, or sign for one object",
	"bucket-version": "use bucket --versioning on",
	"config create":  "use config add NAME LOCATION",
	"copy":           "use cp -r, or cp for one file",
	"delete":         "use rm -r, or rm for one object",
	"env":            "use config list, which shows the locations of the environment, too",
	"ilm":            "use bucket --lifecycle, or expire to remove old objects now",
	"listremotes":    "use config list",
	"lsf":            "use ls, or ls -r for a tree",
	"lsjson":         "use ls --json",
	"lsl":            "use ls -r -l",
	"mirror":         "use sync, with --delete for --remove",
	"mount":          "use serve --ui to look into a bucket in a browser; it cannot be mounted",
	"pipe":           "use cp with - as the source",
	"purge":          "use rm -r",
	"rcat":           "use cp with - as the source",
	"retention":      "use bucket --retention MODE:DAYS",
	"s3":             "leave out s3, as in omnibucket ls LOCATION",
	"s3api":          "leave out s3api; omnibucket --help lists the commands",
	"share":          "use sign, or sign --upload",
	"touch":          "use cp with - as the source",
	"undo":           "use undelete, or restore --at",
	"version enable": "use bucket --versioning on",
	"versions":       "use ls --versions",
	"watch":          "use sync --watch",
}

// argumentHints has, for commands, a hint for a wrong number of arguments.
var argumentHints = map[string]string{
	"ls":    "use ls s3:// to list the buckets of an account, and config list to list the named locations",
	"serve": "for HTTP, give only the location: serve LOCATION",
}

var unknownCommand = regexp.MustCompile(`^unknown command "([^"]*)" for "omnibucket ?([^"]*)"`)

// withSuggestion adds a hint to the error of an unknown command. The hint lists the commands for which
// another program has this name, or else those that are spelled similarly.
func withSuggestion(root *cobra.Command, err error) error {
	// Cobra adds similar names to the message about an unknown command.
	message, similarNames, hasSimilarNames := strings.Cut(err.Error(), "\n\nDid you mean this?\n")
	if hint := usageHint(root, message); hint != "" {
		return &storage.Error{Code: storage.InvalidArgument, Err: errors.New(message), Hint: hint}
	}
	if !hasSimilarNames {
		return err
	}

	// The message quotes the unknown name.
	isUnknown := func(name string) bool { return strings.Contains(message, fmt.Sprintf(" %q ", name)) }
	var names []string
	for _, c := range root.Commands() {
		if slices.ContainsFunc(c.SuggestFor, isUnknown) {
			names = append(names, c.Name())
		}
	}
	if len(names) == 0 {
		names = strings.Fields(similarNames)
	}
	slices.Sort(names)

	return &storage.Error{
		Code: storage.InvalidArgument,
		Err:  errors.New(message),
		Hint: "use " + strings.Join(slices.Compact(names), " or "),
	}
}

// usageHint returns the hint of commandHints or argumentHints for a message of cobra, or "" if they have
// none.
func usageHint(root *cobra.Command, message string) string {
	if unknown := unknownCommand.FindStringSubmatch(message); unknown != nil {
		name := unknown[1]
		parent := unknown[2] // "" for a command of the program itself
		return commandHints[strings.TrimSpace(parent+" "+name)]
	}
	// Cobra says "accepts 1 arg(s), received 2", for example.
	hasWrongCount := strings.Contains(message, " arg(s), ")
	if hasWrongCount {
		return argumentHints[root.Name()]
	}
	return ""
}

// exitCode returns the exit code for an error with this Code.
func exitCode(code storage.Code) int {
	switch code {
	case storage.InvalidArgument:
		return ExitUsage
	case storage.ObjectNotFound, storage.BucketNotFound:
		return ExitNotFound
	case storage.PreconditionFailed:
		return exitPrecondition
	}
	return exitFailure
}

// PrintError prints an error on standard error: first what happened, with a line for each joined error, and then what
// the user can do. With --json it prints a line of JSON.
func (p *Program) PrintError(err error) {
	p.printing.Lock()
	defer p.printing.Unlock()

	x := p.Explain(err)
	if p.Global.JSON {
		// Marshal never fails for text.
		text, _ := json.Marshal(errorLine{
			Event:    "error",
			Code:     storage.CodeOf(err),
			Error:    x.What,
			Hints:    x.Hints,
			Requests: x.Requests,
		})
		_, _ = fmt.Fprintf(p.Around.Err, "%s\n", text)
		return
	}

	printed := 0
	for line := range strings.SplitSeq(x.What, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if printed == maxPrintedErrors {
			_, _ = fmt.Fprintln(p.Around.Err, "omnibucket: and more")
			break
		}
		printed++
		_, _ = fmt.Fprintf(p.Around.Err, "omnibucket: %s\n", console.Printable(line))
	}

	for _, hint := range x.Hints[:min(len(x.Hints), maxPrintedErrors)] {
		_, _ = fmt.Fprintf(p.Around.Err, "hint: %s\n", console.Printable(hint))
	}
	for _, id := range x.Requests[:min(len(x.Requests), maxPrintedErrors)] {
		_, _ = fmt.Fprintf(p.Around.Err, "request: %s\n", console.Printable(id))
	}
}

// An errorLine is the line of JSON that PrintError prints with --json.
type errorLine struct {
	Event string       `json:"event"` // "error"
	Code  storage.Code `json:"code,omitempty"`
	Error string       `json:"error"`
	Hints []string     `json:"hints,omitempty"`

	Requests []string `json:"requests,omitempty"` // request ids, with --verbose
}

// Explain describes err for users of the current command.
func (p *Program) Explain(err error) explain.Explanation {
	return explain.Error(p.Command, err, p.Global.Verbose)
}

// ExitStatus is an error that sets the exit code. The program has already printed the reason.
type ExitStatus int

func (e ExitStatus) Error() string { return fmt.Sprintf("exit code %d", int(e)) }
