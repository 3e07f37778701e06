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
	// After the first signal, stop lets a second one end the program immediately.
	context.AfterFunc(ctx, stop)
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

// arguments returns the arguments of the program for a command line. In the container image, the program also has the
// names minio, curl, mc and sh, which Docker Compose files for MinIO call. As minio, it serves at MinIO's port. As
// curl, mc or sh, it makes only health checks, such as "curl -f URL || exit 1" and "mc ready local", so known is false
// for any other arguments.
func arguments(line []string) (result []string, known bool) {
	args := line[1:]
	switch filepath.Base(line[0]) {
	case "minio":
		return append([]string{"--listen", ":9000"}, args...), true
	case "curl":
		return curlArguments(args)
	case "mc":
		return []string{"--health", "http://" + s3command.DefaultListen}, len(args) > 0 && args[0] == "ready"
	case "sh":
		return shellArguments(args)
	}
	return args, true
}

// curlArguments is the part of arguments for curl, whose first URL becomes that of the health check.
func curlArguments(args []string) (result []string, known bool) {
	for _, arg := range args {
		if strings.HasPrefix(arg, "http://") || strings.HasPrefix(arg, "https://") {
			return []string{"--health", arg}, true
		}
	}
	return nil, false
}

// shellArguments is like arguments, for a call of the program as sh. It accepts -c and one command of curl or mc, and
// ignores "||" and anything after it.
func shellArguments(args []string) (result []string, known bool) {
	if len(args) != 2 || args[0] != "-c" {
		return nil, false
	}

	// Accept only a single command, without a variable.
	command, _, _ := strings.Cut(args[1], "||")
	if strings.ContainsAny(command, ";&|$`") {
		return nil, false
	}
	// An address may be in quotation marks.
	line := strings.Fields(strings.NewReplacer(`"`, "", "'", "").Replace(command))
	if len(line) == 0 {
		return nil, false
	}
	program := line[0]
	if program != "curl" && program != "mc" {
		return nil, false
	}
	return arguments(line)
}

// run runs the program, and returns its exit code.
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

	if err := set.Parse(args); err != nil {
		return reportUsage(errs, err)
	}

	if *printVersion {
		_, _ = fmt.Fprintln(w, words.Version("s3server", release))
		return 0
	}

	directories, err := parseDirectories(&f, set, lookup)
	if err != nil {
		return reportUsage(errs, err)
	}

	env := s3command.Environment{
		Err:    errs,
		Lookup: lookup,
		Ready:  func(url string) { _, _ = fmt.Fprintln(w, url) },
	}
	if err := serve(ctx, &f, directories, env); err != nil {
		return reportFailure(errs, err)
	}
	return 0
}

// parseDirectories returns the directories after the flags, or else those of MinIO's environment variable. The flag set
// must have parsed the command line.
func parseDirectories(f *s3command.Flags, set *flag.FlagSet, lookup func(string) (string, bool)) ([]string, error) {
	directories, err := f.ParseMinIO(set, set.Args())
	if err != nil || len(directories) > 0 {
		return directories, err
	}
	return s3command.Volumes(lookup)
}

// reportUsage prints an error of the command line, unless package flag has already printed it. It returns the exit code
// of the program, which is 0 if the user only wants help.
func reportUsage(errs io.Writer, err error) int {
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if storage.CodeOf(err) == storage.InvalidArgument {
		_, _ = fmt.Fprintln(errs, "s3server:", err)
	}
	return exitUsage
}

// reportFailure prints an error of the server, and returns the exit code.
func reportFailure(errs io.Writer, err error) int {
	_, _ = fmt.Fprintln(errs, "s3server:", err)
	if storage.CodeOf(err) == storage.InvalidArgument {
		return exitUsage
	}
	return exitFailure
}

// serve serves S3 until ctx is done or, with the flag --health, checks the health of another server.
func serve(ctx context.Context, f *s3command.Flags, directories []string, env s3command.Environment) error {
	if f.Health != "" {
		return s3command.CheckHealth(ctx, f.Health)
	}
	if len(directories) == 0 {
		return f.Serve(ctx, env, nil)
	}
	if len(directories) > 1 {
		return &storage.Error{
			Code: storage.InvalidArgument,
			Err:  errors.New("arguments must be flags and at most one directory, after them"),
		}
	}
	service, err := serviceOf(ctx, directories[0])
	if err != nil {
		return withUser(err, directories[0])
	}
	return withUser(f.Serve(ctx, env, service), directories[0])
}

// withUser adds advice to the error if the program may not write to the directory, which often belongs to another user
// if a container mounts it.
func withUser(err error, directory string) error {
	if storage.CodeOf(err) != storage.PermissionDenied || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("user %d must be able to write to %s: %w", os.Getuid(), directory, err)
}

// serviceOf opens a directory, which it creates if it is missing, or the address of one, such as
// file:///data?sync=false.
func serviceOf(ctx context.Context, directory string) (driver.ServiceDriver, error) {
	if strings.HasPrefix(directory, "file:") {
		return engine.OpenServiceDriver(ctx, directory)
	}
	return local.NewServiceDriver(directory, local.Config{Create: true})
}
