package main

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
)

// environment is the input, output and environment of a program.
type environment struct {
	in     io.Reader
	out    io.Writer
	err    io.Writer
	lookup func(name string) (value string, set bool) // an environment variable
	ends   bool                                       // the process ends with the command, and what it has in memory
}

// A program is one run of one command.
type program struct {
	environment
	out      *output
	printing sync.Mutex // of lines that several goroutines print
	buckets  *openBuckets
	inBatch  bool           // a line of run
	together *together      // the progress of several objects, or nil
	command  *cobra.Command // nil: the command line is invalid
	global   globalFlags
	config   configuration
	layers   []storage.Layer // of every bucket
	retry    storage.RetryPolicy
}

// run runs the program and returns the exit code.
func run(ctx context.Context, args []string, around environment) int {
	return runShared(ctx, args, around, nil)
}

// runShared runs the program with open buckets of another one, which stay open.
func runShared(ctx context.Context, args []string, around environment, shared *openBuckets) int {
	working, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &program{environment: around, out: newOutput(around.out, cancel), buckets: shared, inBatch: shared != nil}
	if shared == nil {
		p.buckets = &openBuckets{}
	}
	only := ""
	if shared != nil {
		only = commandOf(args)
	}
	root := p.rootWith(only)
	root.SetArgs(append([]string{}, args...)) // for nil, cobra takes those of the process
	root.SetIn(around.in)
	root.SetOut(p.out)
	root.SetErr(around.err)
	command, err := root.ExecuteContextC(working)
	if shared == nil {
		err = errors.Join(err, p.buckets.close())
	}
	p.out.flush()
	if p.command == nil { // the flags were perhaps not read
		p.global.json = p.wantsJSON(args)
	}
	return p.exitCodeFor(ctx, command, err)
}

// wantsJSON reports whether arguments that are invalid, or the environment, ask for JSON.
func (p *program) wantsJSON(args []string) bool {
	text, _ := p.lookup(settingVariable("json"))
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

// each calls do for each argument. After a failure it prints the error and continues.
// It returns the first error.
func each[T any](ctx context.Context, p *program, arguments []T, do func(argument T) error) error {
	failed := failures{program: p}
	for _, argument := range arguments {
		if err := failed.add(ctx, do(argument)); err != nil {
			return err
		}
	}
	return failed.first
}

// eachAtOnce is each for work in parallel. The functions that the work returns are called in the
// order of the arguments.
func eachAtOnce[T any](ctx context.Context, p *program, arguments []T, work func(ctx context.Context, argument T) (finish func() error)) error {
	q := p.newQueue(ctx)
	defer q.cancel()
	for _, argument := range arguments {
		if err := q.add(func(ctx context.Context) func() error { return work(ctx, argument) }); err != nil {
			return err
		}
	}
	return q.wait()
}

// failures are the errors of a command that continues after them.
type failures struct {
	program *program
	first   error // that was printed, or nil
}

// add prints an error, which may be nil. It returns the error if ctx is done: the command ends.
func (f *failures) add(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	f.program.printError(err)
	if f.first == nil {
		f.first = reportedError{err}
	}
	return nil
}

// commands has what makes each command, by its name.
func (p *program) commands() map[string]func() *cobra.Command {
	return map[string]func() *cobra.Command{
		"bucket": p.bucketCommand, "cat": p.catCommand, "check": p.checkCommand, "config": p.configCommand, "cp": p.cpCommand,
		"diff": p.diffCommand, "du": p.duCommand, "expire": p.expireCommand, "find": p.findCommand, "hash": p.hashCommand,
		"head": p.headCommand, "ls": p.lsCommand, "mb": p.mbCommand, "mv": p.mvCommand, "probe": p.probeCommand,
		"rb": p.rbCommand, "restore": p.restoreCommand, "rm": p.rmCommand, "run": p.runCommand, "serve": p.serveCommand,
		"sign": p.signCommand, "stat": p.statCommand, "sync": p.syncCommand, "tag": p.tagCommand, "tree": p.treeCommand, "undelete": p.undeleteCommand,
		"version": p.versionCommand,
	}
}

// rootCommand returns the root command with all commands.
func (p *program) rootCommand() *cobra.Command { return p.rootWith("") }

// rootWith returns the root command with the command of a name or, if there is none, with all
// commands. A line of run needs only one.
func (p *program) rootWith(name string) *cobra.Command {
	root := &cobra.Command{
		Use:   "omnibucket",
		Short: "Copy, list, read, sync, sign and serve the objects of any store",
		Long: `Omnibucket works with the objects of Amazon S3 and compatible stores, Google Cloud
Storage, Azure, local directories and memory.

Locations:
  s3://bucket/key?region=eu-west-1   also gs://bucket/key, azblob://container/key?account=name;
                                     in a key, write "?", "#" and "%" as %3F, %23 and %25
  file:///absolute/directory#key     a directory as a bucket
  name:key                           a name of the configuration, or OMNIBUCKET_NAME has the
                                     address; the key is literal
  ./path                             a file or directory of this machine
  -                                  standard input or output (cp, cat)

A key that is empty or ends in "/" is a folder. Locations never contain credentials:
set each provider's own environment variables, or use its files.

Exit codes:
  0    success
  1    failure
  2    invalid usage or argument
  3    the object, bucket, source file or source directory does not exist, or nothing
       matches wildcards
  4    a condition is not met (--if-absent, --if-revision)
  130  interrupted
  141  the reader of the output closed the pipe`,
		Example: `  omnibucket cp report.pdf 's3://photos/reports/?region=eu-west-1'
  omnibucket ls -l file:///srv/files
  export OMNIBUCKET_PHOTOS='s3://photos?endpoint=https://nyc3.digitaloceanspaces.com'
  omnibucket sync --delete ./public photos:site/`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return p.prepare(c) },
	}
	// Cobra's own flag for versions needs a template. Without templates, the linker can leave
	// out methods that nothing calls, which is much of the SDKs.
	ofProgram := root.Flags().Bool("version", false, "print the version of the program")
	root.RunE = func(c *cobra.Command, _ []string) error {
		if !*ofProgram {
			return c.Help()
		}
		return p.printProgram()
	}
	p.global.register(root)
	if make, known := p.commands()[name]; known {
		root.CompletionOptions.DisableDefaultCmd = true
		root.AddCommand(make())
		return root
	}
	for name, make := range p.commands() {
		c := make()
		c.SuggestFor = otherNames[name]
		root.AddCommand(c)
	}
	addBuildCommands(root)
	root.SetHelpCommand(helpCommand(root))
	p.completeLocations(root)
	p.prepareScripts(root)
	return root
}

// addBuildCommands adds the commands of a build tag.
var addBuildCommands = func(*cobra.Command) {}
