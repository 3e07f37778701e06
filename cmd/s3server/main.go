// S3server is an S3 server for tests and development, over memory or a directory. It is
// "omnibucket serve --s3" without the libraries of cloud providers:
//
//	s3server --create photos
//	s3server --listen :9000 /data
//
// This package handles only arguments, output and exit codes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/internal/s3command"
	"github.com/omnibucket/storage/providers/local"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program immediately
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr, os.LookupEnv))
}

// The exit codes, which are those of omnibucket.
const (
	exitFailure = 1
	exitUsage   = 2
)

func run(ctx context.Context, args []string, out, errs io.Writer, lookup func(string) (string, bool)) int {
	var f s3command.Flags
	set := flag.NewFlagSet("s3server", flag.ContinueOnError)
	set.SetOutput(errs)
	set.Usage = func() {
		_, _ = fmt.Fprintln(errs, "Usage: s3server [flags] [DIRECTORY]\n\nAn S3 server for tests and development. Without a directory, everything is in memory.\n\nFlags:")
		set.PrintDefaults()
	}
	set.StringVar(&f.Listen, "listen", s3command.DefaultListen, "listen on this `address`; port 0 selects a free port")
	f.Register(set)
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return exitUsage
	}
	err := serve(ctx, &f, set.Args(), s3command.Environment{Err: errs, Lookup: lookup, Ready: func(url string) { _, _ = fmt.Fprintln(out, url) }})
	if err == nil {
		return 0
	}
	_, _ = fmt.Fprintln(errs, "s3server:", err)
	if storage.CodeOf(err) == storage.InvalidArgument {
		return exitUsage
	}
	return exitFailure
}

func serve(ctx context.Context, f *s3command.Flags, args []string, env s3command.Environment) error {
	if f.Health != "" {
		return s3command.CheckHealth(ctx, f.Health)
	}
	switch len(args) {
	case 0:
		return f.Serve(ctx, env, nil)
	case 1:
		service, err := local.NewServiceDriver(args[0], local.Config{Create: true})
		if err != nil {
			return err
		}
		return f.Serve(ctx, env, service)
	}
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New("arguments must be flags and at most one directory, after them")}
}
