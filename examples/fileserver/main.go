// Fileserver serves files over HTTP that it keeps in a directory. It has a page to try it. Client
// files stay, and temp files are removed after some time.
//
//	go run ./examples/fileserver                     a temporary directory
//	go run ./examples/fileserver ~/files             a directory that stays
//	go run ./examples/fileserver -temp-age 10m       temp files live ten minutes
//
// It has no users: anyone who reaches the page may do everything. In a program of yours,
// filesapi.Config.Authorize determines the user.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "fileserver:", err)
		os.Exit(1)
	}
}

// settings holds the arguments and flags of the command line.
type settings struct {
	dir     string
	addr    string
	tempAge time.Duration
	every   time.Duration // time between two runs of clean
}

// readSettings reads the command line.
func readSettings(args []string, stdout io.Writer) (s settings, err error) {
	flags := flag.NewFlagSet("fileserver", flag.ContinueOnError)
	flags.SetOutput(stdout)
	flags.Usage = func() {
		_, _ = fmt.Fprintln(stdout, "usage: fileserver [flags] [DIR]")
		flags.PrintDefaults()
	}
	flags.StringVar(&s.addr, "addr", "127.0.0.1:8080", "`host:port` at which the page is served")
	flags.DurationVar(&s.tempAge, "temp-age", time.Hour, "how long temp files are kept")
	flags.DurationVar(&s.every, "every", time.Minute, "how often temp files are removed")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 1 {
		return s, errors.New("give one directory")
	}
	if s.tempAge <= 0 || s.every <= 0 {
		return s, errors.New("-temp-age and -every must be longer than nothing")
	}
	s.dir = flags.Arg(0)
	return s, nil
}

// run serves files until ctx ends.
func run(ctx context.Context, args []string, stdout io.Writer) (result error) {
	s, err := readSettings(args, stdout)
	if err != nil {
		return err
	}
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "omnibucket-fileserver-"); err != nil {
			return err
		}
		defer func() {
			result = errors.Join(result, os.RemoveAll(s.dir))
		}()
	}

	bucket, err := local.Open(s.dir, local.Config{Create: true})
	if err != nil {
		return err
	}
	defer func() {
		result = errors.Join(result, storage.Close(bucket))
	}()

	service, err := uploads.New(bucket, uploads.Config{Rules: rules.Any(0), Records: uploads.BucketRecords(bucket)})
	if err != nil {
		return err
	}
	handler, err := site(service, s)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(stdout, "files in %s\nOpen http://%s/ and stop with Ctrl-C.\n", s.dir, listener.Addr())

	// The cleaning must end before the bucket is closed.
	ctx, cancel := context.WithCancel(ctx)
	cleaned := clean(ctx, service, s.every)
	defer func() {
		cancel()
		<-cleaned
	}()
	return serveUntil(ctx, listener, handler)
}

// maxRequest limits how long a request may take. It suffices for a body of 100 MiB on a slow
// connection.
const maxRequest = 10 * time.Minute

// serveUntil serves requests until ctx ends. It then waits up to two seconds for the requests that are
// still running, and returns nil.
func serveUntil(ctx context.Context, listener net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: maxRequest}
	serveErr := make(chan error, 1)
	go func() { serveErr <- server.Serve(listener) }()

	select {
	case err := <-serveErr:
		return err
	case <-ctx.Done():
	}

	shutdownCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	_ = server.Shutdown(shutdownCtx)
	_ = server.Close() // ends the requests that took longer
	return nil
}
