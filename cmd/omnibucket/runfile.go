package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

const (
	// defaultLines is how many lines of a file the command run executes at the same time.
	defaultLines = 16
	// keptOutput is how many bytes of a line's output are kept in memory while another line prints.
	keptOutput = 256 << 10
	// longestLine is the largest length of a line, in bytes.
	longestLine = 1 << 20
)

// runFlags are the flags of run.
type runFlags struct {
	lines       int
	stopOnError bool
}

func runCommand(p *program.Program) *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run [flags] FILE",
		Short: "Run many commands in one process, several at a time",
		Long: `Runs the commands in a file, or in standard input if FILE is "-": one in each line, without
"omnibucket", and quoted as in a POSIX shell. Nothing is expanded but the wildcards of the
commands. A "#" at the start of a word begins a comment, unless it is quoted. Lines run in any
order; a line "wait" waits for all lines before it.

The output of a line is not mixed with that of another. Errors begin with the number of
their line. With -v or --json, prints the exit code of each line. A failure does not end the
other lines; with --stop-on-error, no further line begins. The exit code is that of the first
line in the file that failed. Global flags before FILE hold for all lines.`,
		Example: `  omnibucket run commands.txt
  omnibucket run --lines 64 --stop-on-error commands.txt
  omnibucket find --print0 logs: | tr '\0' '\n' | sed "s/.*/rm 'logs:&'/" | omnibucket run -`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if f.lines < 1 {
				return argument.Invalid("--lines must be at least 1", "")
			}
			return runFile(p, c, &f, args[0])
		},
	}
	c.Flags().IntVar(&f.lines, "lines", defaultLines, "run this `number` of lines at once")
	c.Flags().BoolVar(&f.stopOnError, "stop-on-error", false, "begin no further line after a failure")
	return c
}

// A batch is one execution of a file with command lines.
type batch struct {
	program *program.Program
	flags   *runFlags
	global  []string // global flags that apply to all lines

	mu          sync.Mutex // locked while the output of one command line is printed
	lines       int
	failures    int
	firstFailed int // number of the first line that failed, or 0
	code        int // exit code of the first line that failed
}

// runFile runs the command lines of a file. If some of them fail, the result has the exit code of
// the first of these lines.
func runFile(p *program.Program, c *cobra.Command, f *runFlags, path string) error {
	if p.InBatch {
		return argument.Invalid("run must not be used in a file of run", "")
	}

	src, release, err := openLines(c.Context(), p, path)
	if err != nil {
		return err
	}
	defer release()

	b := &batch{program: p, flags: f, global: changedGlobals(c)}
	// After a call of stop, no command of the file is started. Running commands continue to their
	// end.
	startCtx, stop := context.WithCancel(c.Context())
	defer stop()

	err = b.run(c.Context(), startCtx, stop, src)
	if c.Context().Err() != nil {
		return &storage.Error{Code: storage.Canceled, Err: c.Context().Err()}
	}
	if err != nil {
		return err
	}

	if p.Global.JSON {
		_ = p.Out.JSON(batchLine{"summary", b.lines, b.failures}) // p.Out keeps the error
	} else {
		commands := "commands"
		if b.lines == 1 {
			commands = "command"
		}
		p.Note("%d %s, %d failed", b.lines, commands, b.failures)
	}

	if b.failures > 0 {
		return program.Reported(program.ExitStatus(b.code))
	}
	return nil
}

// openLines opens a file of command lines, or standard input if path is "-". The caller must call
// release at the end.
func openLines(ctx context.Context, p *program.Program, path string) (src io.Reader, release func(), err error) {
	if path == "-" {
		src, release := p.Input(ctx)
		return src, release, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, argument.OfPath(path, err)
	}
	return file, func() { _ = file.Close() }, nil
}

// changedGlobals returns the global flags that the user gave, as arguments of the form
// --name=value.
func changedGlobals(c *cobra.Command) (args []string) {
	c.Root().PersistentFlags().VisitAll(func(flag *pflag.Flag) {
		if flag.Changed && flag.Name != "verbose" && flag.Name != "quiet" {
			args = append(args, "--"+flag.Name+"="+flag.Value.String())
		}
	})
	return args
}

// run runs the lines in parallel and waits for them. After a call of stop, or when ctx is done, run
// starts no further line.
func (b *batch) run(ctx, startCtx context.Context, stop func(), src io.Reader) error {
	var wg sync.WaitGroup
	defer wg.Wait()

	slots := make(chan struct{}, b.flags.lines)
	lines := bufio.NewScanner(argument.WithoutMark(src))
	lines.Buffer(nil, longestLine)

	for number := 1; lines.Scan(); number++ {
		words, err := splitWords(lines.Text())
		if err != nil {
			b.refuse(stop, number, lines.Text(), err)
			continue
		}
		if len(words) == 0 {
			continue
		}
		if len(words) == 1 && words[0] == "wait" {
			wg.Wait()
			continue
		}

		select {
		case slots <- struct{}{}:
		case <-startCtx.Done():
			return nil
		}
		if startCtx.Err() != nil {
			return nil
		}

		text := lines.Text()
		wg.Go(func() {
			defer func() { <-slots }()
			b.line(ctx, stop, number, text, words)
		})
	}

	err := lines.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		return argument.Invalid("a line must have at most 1 MiB", "")
	}
	if err != nil && startCtx.Err() == nil {
		return &storage.Error{Code: storage.InvalidArgument, Err: fmt.Errorf("file could not be read: %w", err)}
	}
	return nil
}

// refuse reports a line that is not a command, with the error that says why.
func (b *batch) refuse(stop func(), number int, text string, err error) {
	output := &lineOutput{batch: b}
	defer output.end()
	var errs bytes.Buffer
	printer := &program.Program{Around: program.Environment{Err: &errs}, Global: b.program.Global}
	printer.PrintError(err)
	b.report(stop, number, text, program.ExitUsage, output, errs.String(), 0)
}

// line runs the command that one line of the file contains. It also reports the result.
func (b *batch) line(ctx context.Context, stop func(), number int, text string, words []string) {
	if words[0] == "omnibucket" {
		words = words[1:]
	}
	output := &lineOutput{batch: b}
	defer output.end()
	var errs bytes.Buffer
	start := time.Now()
	env := program.Environment{In: failingInput{}, Out: output, Err: &errs, Lookup: b.program.Around.Lookup}
	code := runShared(ctx, append(slices.Clone(b.global), words...), env, b.program.Stores.Buckets)
	b.report(stop, number, text, code, output, errs.String(), time.Since(start))
}

// commandOf returns the first argument that is not a flag. It relies on flags before the command
// having the form --name=value.
func commandOf(args []string) string {
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			return arg
		}
	}
	return ""
}

// A commandLine is the result of one line of the file in JSON.
type commandLine struct {
	Event    string  `json:"event"` // "command"
	Line     int     `json:"line"`
	Command  string  `json:"command"`
	ExitCode int     `json:"exitCode"`
	Seconds  float64 `json:"seconds"`
}

// A batchLine is the last line that "omnibucket run" prints with --json. It has the summary.
type batchLine struct {
	Event    string `json:"event"` // "summary"
	Commands int    `json:"commands"`
	Failed   int    `json:"failed"`
}

// report prints the output of a line, and then its errors and its result. The caller must call
// output.end afterwards, so that other lines can print.
func (b *batch) report(
	stop func(), number int, text string, code int, output *lineOutput, errs string, duration time.Duration,
) {
	// After flush, output holds the lock of b.
	output.flush()

	for line := range strings.Lines(errs) {
		if b.program.Global.JSON {
			// Each line of errs is a JSON object, which gets a member "line".
			_, _ = fmt.Fprintf(b.program.Around.Err, "{\"line\":%d,%s", number, strings.TrimPrefix(line, "{"))
			continue
		}
		_, _ = fmt.Fprintf(b.program.Around.Err, "line %d: %s", number, line)
	}

	b.lines++
	if b.program.Global.JSON {
		_ = b.program.Out.JSON(commandLine{"command", number, text, code, duration.Round(time.Millisecond).Seconds()})
	} else if b.program.Global.Verbose {
		b.program.Out.Printf("line %d: exit code %d: %s\n", number, code, b.program.Out.Printable(text))
	}

	if code != 0 {
		b.failures++
		if b.firstFailed == 0 || number < b.firstFailed {
			b.firstFailed = number
			b.code = code
		}
		if b.flags.stopOnError {
			stop()
		}
	}
}

// A lineOutput keeps the output of a line until the line ends, and then prints it in one piece. If
// there are more than keptOutput bytes, it prints all output immediately, and other lines wait
// until this one ends.
type lineOutput struct {
	batch   *batch
	buffer  bytes.Buffer
	hasLock bool // true while it holds the lock of the batch
}

func (o *lineOutput) Write(data []byte) (int, error) {
	if !o.hasLock && o.buffer.Len()+len(data) <= keptOutput {
		return o.buffer.Write(data)
	}
	o.flush()
	return o.batch.program.Out.Write(data)
}

// flush prints the kept output, and locks the batch. Other lines cannot print until this line ends.
func (o *lineOutput) flush() {
	if !o.hasLock {
		o.batch.mu.Lock()
		o.hasLock = true
	}
	// A write error is stored in Out.Err.
	_, _ = o.batch.program.Out.Write(o.buffer.Bytes())
	o.buffer.Reset()
}

// end releases the lock of the batch, so that other lines can print.
func (o *lineOutput) end() {
	if o.hasLock {
		o.batch.mu.Unlock()
	}
}

// failingInput is the standard input of each line. Its Read fails, because lines run in parallel.
type failingInput struct{}

func (failingInput) Read([]byte) (int, error) {
	return 0, errors.New("a line of run has no standard input")
}
