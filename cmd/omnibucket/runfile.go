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

// runCommand returns the command run, which runs the commands in a file.
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

	stop context.CancelFunc // lets running lines end, and starts no further one

	mu          sync.Mutex // locked while the output of one command line is printed
	lines       int
	failures    int
	firstFailed int // number of the first line that failed, or 0
	code        int // exit code of the first line that failed
}

// runFile runs the command lines of a file. If some of them fail, its error has the exit code of the
// first one.
func runFile(p *program.Program, c *cobra.Command, f *runFlags, path string) error {
	if p.InBatch {
		return argument.Invalid("run must not be used in a file of run", "")
	}

	src, release, err := openLines(c.Context(), p, path)
	if err != nil {
		return err
	}
	defer release()

	// With --stop-on-error, a failed line calls stop, which ends startCtx: no further line starts. The lines that run
	// already have ctx, so they continue.
	ctx := c.Context()
	startCtx, stop := context.WithCancel(ctx)
	defer stop()

	b := &batch{program: p, flags: f, global: changedGlobals(c), stop: stop}
	err = b.run(ctx, startCtx, src)
	if ctx.Err() != nil {
		return &storage.Error{Code: storage.Canceled, Err: ctx.Err()}
	}
	if err != nil {
		return err
	}

	b.summarize()
	if b.failures == 0 {
		return nil
	}
	// The lines have printed their own errors.
	return program.Reported(program.ExitStatus(b.code))
}

// summarize prints how many lines were run as commands, and how many of them failed.
func (b *batch) summarize() {
	if b.program.Global.JSON {
		// The program's Out keeps the error.
		_ = b.program.Out.JSON(batchLine{Event: "summary", Commands: b.lines, Failed: b.failures})
		return
	}
	commands := "commands"
	if b.lines == 1 {
		commands = "command"
	}
	b.program.Note("%d %s, %d failed", b.lines, commands, b.failures)
}

// openLines opens a file of command lines, or standard input if path is "-". The caller must call
// release when it has read the lines.
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

// changedGlobals returns the global flags that the user set, in the form --name=value. It leaves out
// --verbose and --quiet, which concern the batch and not its lines.
func changedGlobals(c *cobra.Command) (args []string) {
	c.Root().PersistentFlags().VisitAll(func(flag *pflag.Flag) {
		if flag.Changed && flag.Name != "verbose" && flag.Name != "quiet" {
			args = append(args, "--"+flag.Name+"="+flag.Value.String())
		}
	})
	return args
}

// run runs each line of src as a command, several at a time, and waits for all of them. When startCtx
// is done, it starts no further command.
func (b *batch) run(ctx, startCtx context.Context, src io.Reader) error {
	var wg sync.WaitGroup
	defer wg.Wait()

	slots := make(chan struct{}, b.flags.lines)
	lines := bufio.NewScanner(argument.WithoutMark(src))
	lines.Buffer(nil, longestLine)

	for number := 1; lines.Scan(); number++ {
		words, err := splitWords(lines.Text())
		if err != nil {
			b.reportInvalid(number, lines.Text(), err)
			continue
		}
		isBlank := len(words) == 0
		if isBlank {
			continue
		}
		// The line waits for all lines before it, and not for a program.
		isWait := len(words) == 1 && words[0] == "wait"
		if isWait {
			wg.Wait()
			continue
		}

		select {
		case slots <- struct{}{}:
		case <-startCtx.Done():
			return nil
		}
		// If both cases were ready, select may have chosen the slot.
		if startCtx.Err() != nil {
			return nil
		}

		text := lines.Text()
		wg.Go(func() {
			defer func() { <-slots }()
			b.runLine(ctx, number, text, words)
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

// reportInvalid reports a line of the file that could not be split into words, with the error err.
func (b *batch) reportInvalid(number int, text string, err error) {
	output := &lineOutput{batch: b}
	defer output.end()

	var stderr bytes.Buffer
	printer := &program.Program{Around: program.Environment{Err: &stderr}, Global: b.program.Global}
	printer.PrintError(err)
	b.report(number, text, program.ExitUsage, output, stderr.String(), 0) // no command ran, so it took no time
}

// runLine runs one line of the file as a command and reports the result.
func (b *batch) runLine(ctx context.Context, number int, text string, words []string) {
	// A line may begin with the name of the program, as in a shell.
	if words[0] == "omnibucket" {
		words = words[1:]
	}
	args := append(slices.Clone(b.global), words...)

	output := &lineOutput{batch: b}
	defer output.end()
	var stderr bytes.Buffer
	// Lines run in parallel, so they cannot read standard input.
	env := program.Environment{In: failingInput{}, Out: output, Err: &stderr, Lookup: b.program.Around.Lookup}

	start := time.Now()
	code := runShared(ctx, args, env, b.program.Stores.Buckets)
	b.report(number, text, code, output, stderr.String(), time.Since(start))
}

// commandOf returns the name of the command in args, or "" if there is none. Flags before the name
// must have the form --name=value, as changedGlobals writes them.
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

// report prints the output of a line, then its errors, then its exit code. Until the caller calls
// output.end, no other line can print.
func (b *batch) report(
	number int, text string, code int, output *lineOutput, stderr string, duration time.Duration,
) {
	p := b.program
	// After flush, output holds b.mu, which guards the counts below.
	output.flush()
	b.printErrors(number, stderr)

	b.lines++
	if p.Global.JSON {
		// p.Out keeps a write error.
		_ = p.Out.JSON(commandLine{
			Event:    "command",
			Line:     number,
			Command:  text,
			ExitCode: code,
			Seconds:  duration.Round(time.Millisecond).Seconds(),
		})
	} else if p.Global.Verbose {
		p.Out.Printf("line %d: exit code %d: %s\n", number, code, p.Out.Printable(text))
	}

	if code != 0 {
		b.recordFailure(number, code)
	}
}

// printErrors prints the error output of a line, and begins each error with the number of the line.
func (b *batch) printErrors(number int, stderr string) {
	p := b.program
	for text := range strings.Lines(stderr) {
		if p.Global.JSON {
			// text is a JSON object. The number becomes its first member.
			_, _ = fmt.Fprintf(p.Around.Err, "{\"line\":%d,%s", number, strings.TrimPrefix(text, "{"))
			continue
		}
		_, _ = fmt.Fprintf(p.Around.Err, "line %d: %s", number, text)
	}
}

// recordFailure records that the line with this number has failed with an exit code. The caller must hold b.mu.
func (b *batch) recordFailure(number, code int) {
	b.failures++
	// Lines end in any order, and the exit code is that of the first line in the file.
	isFirst := b.firstFailed == 0 || number < b.firstFailed
	if isFirst {
		b.firstFailed = number
		b.code = code
	}
	if b.flags.stopOnError {
		b.stop()
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

// Write keeps data until the line ends, or prints it at once if it is too much to keep.
func (o *lineOutput) Write(data []byte) (int, error) {
	if !o.hasLock && o.buffer.Len()+len(data) <= keptOutput {
		return o.buffer.Write(data)
	}
	o.flush()
	return o.batch.program.Out.Write(data)
}

// flush prints the kept output. It also locks the batch, so that no other line prints before this
// one ends.
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
