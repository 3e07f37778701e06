// S3server is an S3 server for tests and development. It keeps objects in memory or in a directory.
// It does the same as "omnibucket serve --s3", but without the libraries of cloud providers:
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
	"github.com/omnibucket/storage/internal/words"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/s3server/cmd/s3server/s3command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program immediately
	args, ok := arguments(os.Args)
	if !ok {
		_, _ = fmt.Fprintln(
			os.Stderr,
			"s3server: the image has no shell and no mc, and curl only for health checks: write MINIO_DEFAULT_BUCKETS in place of a script that creates buckets",
		)
		os.Exit(exitUsage)
	}
	os.Exit(run(ctx, args, os.Stdout, os.Stderr, os.LookupEnv))
}

// release is the tag from which a container image was built, such as v0.1.0. The linker sets it,
// because an image is built from files without version control.
var release string

// These are the exit codes. The command omnibucket has the same.
const (
	exitFailure = 1
	exitUsage   = 2
)

// arguments returns the arguments of the program. In the container image, the program also has the
// names minio, curl, mc and sh, because Docker Compose files for MinIO call these programs. As
// minio, the program serves at MinIO's port. As curl, mc or sh, it accepts only health checks, such
// as "curl -f URL || exit 1" and "mc ready local", and returns the flag --health. If curl, mc or sh
// gets other arguments, the result known is false.
func arguments(line []string) (args []string, ok bool) {
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

func run(ctx context.Context, args []string, w, errs io.Writer, lookup func(string) (string, bool)) int {
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
		_, _ = fmt.Fprintln(w, words.Version("s3server", release))
		return 0
	}
	if err == nil {
		args, err = f.ParseMinIO(set, set.Args())
	}
	if err == nil && len(args) == 0 {
		args, err = s3command.Volumes(lookup)
	}
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil && storage.CodeOf(err) != storage.InvalidArgument { // package flag has already printed the error
		return exitUsage
	}
	if err == nil {
		err = serve(
			ctx, &f, args,
			s3command.Environment{Err: errs, Lookup: lookup, Ready: func(url string) { _, _ = fmt.Fprintln(w, url) }},
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
		Code: storage.InvalidArgument,
		Err:  errors.New("arguments must be flags and at most one directory, after them"),
	}
}

// named adds advice to the error if the program may not write to the directory. A directory that a
// container mounts often belongs to another user.
func named(err error, directory string) error {
	if storage.CodeOf(err) != storage.PermissionDenied || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("user %d must be able to write to %s: %w", os.Getuid(), directory, err)
}

// serviceOf opens a directory and creates it if it is missing. directory may also be an address,
// such as file:///data?sync=false.
func serviceOf(ctx context.Context, directory string) (driver.ServiceDriver, error) {
	if strings.HasPrefix(directory, "file:") {
		return engine.OpenServiceDriver(ctx, directory)
	}
	return local.NewServiceDriver(directory, local.Config{Create: true})
}
