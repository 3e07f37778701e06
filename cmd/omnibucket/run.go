package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
)

// environment are what a program is given beside its arguments.
type environment struct {
	in     io.Reader
	out    io.Writer
	err    io.Writer
	lookup func(name string) (value string, set bool) // of the environment
}

// A program is one run of one command.
type program struct {
	environment
	out     *output
	buckets map[string]storage.Bucket // opened so far, by address
	parsed  bool                      // the command line was understood
}

// run is the whole program; it returns the exit code.
func run(ctx context.Context, args []string, around environment) int {
	working, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &program{environment: around, out: newOutput(around.out, cancel), buckets: map[string]storage.Bucket{}}
	root := p.rootCommand()
	root.SetArgs(append([]string{}, args...)) // of nil, cobra would take those of the process
	root.SetIn(around.in)
	root.SetOut(p.out)
	root.SetErr(around.err)
	command, err := root.ExecuteContextC(working)
	err = errors.Join(err, p.close())
	p.out.flush()
	return p.exitCodeFor(ctx, command, err)
}

// each does something for every argument and goes on past failures, which it
// tells of at once; what it returns is the first one.
func (p *program) each(ctx context.Context, arguments []string, do func(argument string) error) error {
	var first error
	for _, argument := range arguments {
		err := do(argument)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return err
		default:
			p.printError(err)
			if first == nil {
				first = reportedError{err}
			}
		}
	}
	return first
}

// rootCommand is the command line.
func (p *program) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "omnibucket",
		Short: "Copies, lists, reads, syncs, signs and serves the objects of any store",
		Long: `Omnibucket works on the objects of Amazon S3 and what speaks its protocol, Google
Cloud Storage, Azure, a local directory and memory.

Locations:
  s3://bucket/key?region=eu-west-1   also gs://bucket/key, azblob://container/key?account=name;
                                     in a key "?", "#" and "%" are written %3F, %23 and %25
  file:///absolute/directory#key     the directory is the bucket
  name:key                           where OMNIBUCKET_NAME holds an address; the key as it is
  ./path                             of this machine (cp, sync)
  -                                  standard input or output (cp, cat)

A key that is empty or ends in "/" is a folder. Credentials never stand in a
location: they come from each provider's own environment variables and files.

Exit codes:
  0    done
  1    a failure
  2    bad usage, or an argument that breaks a rule
  3    there is no such object, bucket, source file or source directory
  4    a condition does not hold (--if-absent, --if-revision)
  130  interrupted
  141  the reader of the output went away`,
		Example: `  omnibucket cp report.pdf 's3://photos/reports/?region=eu-west-1'
  omnibucket ls -l file:///srv/files
  export OMNIBUCKET_PHOTOS='s3://photos?endpoint=https://nyc3.digitaloceanspaces.com'
  omnibucket sync --delete ./public photos:site/`,
		Version:          version(),
		SilenceErrors:    true,
		SilenceUsage:     true,
		PersistentPreRun: func(*cobra.Command, []string) { p.parsed = true },
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.AddCommand(
		p.catCommand(), p.cpCommand(), p.lsCommand(), p.mbCommand(), p.rbCommand(), p.rmCommand(),
		p.serveCommand(), p.signCommand(), p.statCommand(), p.syncCommand(),
	)
	return root
}
