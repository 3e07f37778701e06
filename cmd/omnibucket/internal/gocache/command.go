package gocache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/transfer"
)

// flags are the flags of gocache.
type flags struct {
	settings
	dir   string
	stats bool
}

// Gocache returns the command gocache, which keeps the build cache of the go command in a store.
func Gocache(p *program.Program) *cobra.Command {
	var f flags
	c := &cobra.Command{
		Use:   "gocache [flags] LOCATION",
		Short: "Keep the build cache of the go command in any store",
		Long: `Is a program for the variable GOCACHEPROG of Go 1.24 or later. Packages that one machine has
compiled or tested are not compiled or tested again by others. The go command starts it, and
speaks with it on standard input and output.

Outputs are files in --dir. Others are read from the location, and checked. New outputs are
uploaded in the background, before the go command ends. If the store is down, slow or full,
there is one warning, and the build continues without the store.

Everybody who can write to the location can put code into your builds. Use --read-only where
strangers choose what is built. Files that were not used for five days leave --dir, and
"omnibucket gocache trim" removes old objects.`,
		Example: `  export GOCACHEPROG='omnibucket gocache s3://build-cache?region=eu-west-1' GOFLAGS=-trimpath
  GOCACHEPROG='omnibucket gocache --read-only --stats ci:' go test ./...`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return f.run(c.Context(), p, args[0]) },
	}

	set := c.Flags()
	set.StringVar(&f.dir, "dir", "", "keep files in this `directory` (default: omnibucket/gocache in the directory of caches)")
	set.BoolVar(&f.readOnly, "read-only", false, "upload nothing")
	set.BoolVar(&f.stats, "stats", false, "print at the end what the cache did, to standard error")
	set.DurationVar(
		&f.patience, "patience", 2*time.Second,
		"stop using the store when the build has waited in vain for this `duration`",
	)
	set.DurationVar(
		&f.closeTimeout, "close-timeout", time.Minute,
		"wait at most for this `duration` at the end until all outputs are uploaded",
	)
	c.AddCommand(trimCommand(p))
	return c
}

// run keeps the build cache of a go command, with which it speaks on standard input and output, until that ends.
func (f *flags) run(ctx context.Context, p *program.Program, text string) error {
	start := time.Now()
	if err := f.check(p); err != nil {
		return err
	}
	dir, err := openDisk(f.dir)
	if err != nil {
		return argument.OfPath(f.dir, err)
	}
	p.Stores.ReadOnly = f.readOnly
	bucket, err := f.open(ctx, p, text)
	if err != nil {
		return err
	}

	s := newServer(ctx, dir, bucket, f.settings, p.PrintError)
	if bucket == nil {
		// Without a store, the server uses only the directory.
		s.remote.disable()
	}
	serveErr := s.serve(p.Around.In, flushWriter{p.Out})
	if f.stats {
		s.stats.print(p.Around.Err, p.Global.JSON, time.Since(start), s.closing)
	}

	// With --requests, the program prints its requests when this command has ended. It must not print them as JSON
	// to standard output, which the go command reads.
	p.Global.JSON = false
	return serveErr
}

// check refuses invalid flags, and sets the defaults that depend on the system.
func (f *flags) check(p *program.Program) error {
	if err := p.NotInDryRun(); err != nil {
		return err
	}
	if p.InBatch {
		return argument.Invalid("gocache must not be used in a file of run", "")
	}
	if f.patience <= 0 || f.closeTimeout < 0 {
		return argument.Invalid("--patience must be positive, and --close-timeout must not be negative", "")
	}

	f.uploads = p.Global.Concurrency
	if f.uploads == 0 {
		f.uploads = defaultUploads
	}

	if f.dir == "" {
		dir, err := p.CacheDir("gocache")
		if err != nil {
			return argument.Invalid("--dir must be set: "+err.Error(), "")
		}
		f.dir = dir
	}
	return nil
}

// open opens the store of the cache. If the store fails, open prints a warning and returns nil, so that the build
// continues without it.
func (f *flags) open(ctx context.Context, p *program.Program, text string) (storage.Bucket, error) {
	l, err := p.Stores.LocateServed(text)
	if err != nil {
		return nil, err
	}

	openCtx, cancel := context.WithTimeout(ctx, f.patience)
	defer cancel()
	bucket, err := p.Stores.OpenFolder(openCtx, l)
	if err == nil || errors.Is(err, storage.InvalidArgument) {
		// A mistake of the user ends the command.
		return bucket, err
	}
	p.PrintError(fmt.Errorf("the build continues without the store of its cache: %w", err))
	return nil, nil
}

// A flushWriter is a writer that flushes the output after each write.
type flushWriter struct{ output *console.Output }

func (w flushWriter) Write(p []byte) (int, error) {
	n, err := w.output.Write(p)
	w.output.Flush()
	return n, errors.Join(err, w.output.Err)
}

// trimCommand returns the command "gocache trim", which removes old objects of a build cache.
func trimCommand(p *program.Program) *cobra.Command {
	age := ""
	c := &cobra.Command{
		Use:   "trim [flags] LOCATION",
		Short: "Remove old objects of a build cache from a store",
		Long: `Removes the objects of a build cache that were uploaded before --max-age. Objects that are
still in use are then built and uploaded again. A lifecycle rule of the bucket for the folder ` + Folder + ` does the
same without a command. Ages are counted by the clock of the store, for which a small object
is stored in the folder and removed.`,
		Example: `  omnibucket gocache trim --max-age 30d --dry-run 's3://build-cache?region=eu-west-1'
  omnibucket gocache trim --max-age 2w ci:`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return trim(c.Context(), p, args[0], age) },
	}
	c.Flags().StringVar(&age, "max-age", "30d", "remove objects that were uploaded before this `duration`")
	return c
}

// trim removes the objects of a build cache whose age is above that of --max-age.
func trim(ctx context.Context, p *program.Program, text, age string) error {
	maxAge, err := argument.Duration("--max-age", age)
	if err != nil {
		return err
	}
	if maxAge == 0 {
		return argument.Invalid("--max-age must be positive", "")
	}

	l, err := p.Stores.LocateServed(text)
	if err != nil {
		return err
	}
	bucket, err := p.Stores.OpenFolder(ctx, l)
	if err != nil {
		return err
	}

	rule := transfer.ExpireRule{Prefix: Folder, Age: maxAge}
	report, err := p.RunJob(func(opts ...transfer.Option) (*transfer.Report, error) {
		return transfer.Expire(ctx, bucket, []transfer.ExpireRule{rule}, opts...)
	})
	err = program.Multiline(err)
	p.Summarize(report, err)
	return err
}
