// S3server is an S3 server for tests and development, over memory or a directory. It is
// "omnibucket serve --s3" without the libraries of cloud providers:
//
//	s3server --create photos
//	s3server --listen :9000 /data
//	s3server 'file:///data?sync=false'                 # the operating system flushes
//	s3server server /data --console-address :9001     # as MinIO
//
// This package handles only arguments, output and exit codes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/programversion"
	"github.com/omnibucket/storage/internal/s3command"
	"github.com/omnibucket/storage/providers/local"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program immediately
	args, known := arguments(os.Args)
	if !known {
		_, _ = fmt.Fprintln(
			os.Stderr,
			"s3server: the image has no shell and no mc, and curl only for health checks: write MINIO_DEFAULT_BUCKETS in place of a script that creates buckets",
		)
		os.Exit(exitUsage)
	}
	os.Exit(run(ctx, args, os.Stdout, os.Stderr, os.LookupEnv))
}

// release is the tag from which an image was built, such as v0.1.0. The linker sets it: the image is built
// from files without a version.
var release string

// The exit codes, which are those of omnibucket.
const (
	exitFailure = 1
	exitUsage   = 2
)

// arguments returns the arguments of the program. In the image it has further names, because compose files for
// MinIO use them. The name minio is an entry point. The names curl, mc and sh are for health checks, such as
// "curl -f URL || exit 1" and "mc ready local": they become --health, and nothing else is known.
func arguments(line []string) (args []string, known bool) {
	isURL := func(word string) bool {
		return strings.HasPrefix(word, "http://") || strings.HasPrefix(word, "https://")
	}
	switch args := line[1:]; filepath.Base(line[0]) {
	case "minio":
		return append([]string{"--listen", ":9000"}, args...), true
	case "curl":
		if i := slices.IndexFunc(args, isURL); i >= 0 {
			return []string{"--health", args[i]}, true
		}
		return nil, false
	case "mc":
		return []string{"--health", "http://" + s3command.DefaultListen}, len(args) > 0 && args[0] == "ready"
	case "sh":
		if len(args) != 2 || args[0] != "-c" {
			return nil, false
		}
		command, _, _ := strings.Cut(args[1], "||")
		words := strings.Fields(strings.NewReplacer(`"`, "", "'", "").Replace(command))
		if len(words) == 0 || words[0] != "curl" && words[0] != "mc" || strings.ContainsAny(command, ";&|$`") {
			return nil, false
		}
		return arguments(words)
	default:
		return args, true
	}
}

func run(ctx context.Context, args []string, out, errs io.Writer, lookup func(string) (string, bool)) int {
	var f s3command.Flags
	set := flag.NewFlagSet("s3server", flag.ContinueOnError)
	set.SetOutput(errs)
	set.Usage = func() {
		_, _ = fmt.Fprintln(
			errs,
			"Usage: s3server [flags] [DIRECTORY]\n\nAn S3 server for tests and development. Without a directory, everything is in memory.\n\nFlags:",
		)
		set.PrintDefaults()
	}
	set.StringVar(&f.Listen, "listen", s3command.DefaultListen, "listen on this `address`; port 0 selects a free port")
	printVersion := set.Bool("version", false, "print the version of this program")
	f.RegisterHosts(set)
	f.Register(set)
	err := set.Parse(args)
	if err == nil && *printVersion {
		_, _ = fmt.Fprintln(out, programversion.Of("s3server", release))
		return 0
	}
	if err == nil {
		args, err = f.ParseMinIO(set, set.Args())
	}
	if err == nil && len(args) == 0 {
		args, err = s3command.Volumes(lookup)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil && storage.CodeOf(err) != storage.InvalidArgument: // the flags have printed it
		return exitUsage
	case err == nil:
		err = serve(
			ctx, &f, args,
			s3command.Environment{Err: errs, Lookup: lookup, Ready: func(url string) { _, _ = fmt.Fprintln(out, url) }},
		)
	}
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
		service, err := serviceOf(ctx, args[0])
		if err == nil {
			err = f.Serve(ctx, env, service)
		}
		return named(err, args[0])
	}
	return &storage.Error{
		Code: storage.InvalidArgument, Err: errors.New("arguments must be flags and at most one directory, after them"),
	}
}

// named adds what to do if the directory belongs to another user, as a folder that a container mounts often does.
func named(err error, directory string) error {
	if storage.CodeOf(err) != storage.PermissionDenied || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("user %d must be able to write to %s: %w", os.Getuid(), directory, err)
}

// serviceOf opens a directory, which is created, or one with an address, such as file:///data?sync=false.
func serviceOf(ctx context.Context, directory string) (driver.ServiceDriver, error) {
	if strings.HasPrefix(directory, "file:") {
		return engine.OpenServiceDriver(ctx, directory)
	}
	return local.NewServiceDriver(directory, local.Config{Create: true})
}
