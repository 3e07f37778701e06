// Uploadservice is an HTTP service that accepts pictures: as a form, or directly to the store with a signed URL. It
// checks the content of the pictures, chooses their keys, and can remove them again. A small page to try it is at its
// root.
//
//	go run ./examples/uploadservice                               a temporary directory
//	go run ./examples/uploadservice ~/pictures                    a directory that stays
//	go run ./examples/uploadservice -bucket mem://demo            memory
//	go run ./examples/uploadservice -bucket 's3://demo?region=eu-west-1'
//
// From a shell:
//
//	curl -F photo=@me.png -F photo=@you.png http://127.0.0.1:8080/uploads/
//	curl -X DELETE http://127.0.0.1:8080/uploads/users/demo/2026/11/….png
//
// It has one user. In a program of yours, authorize in site.go must look at the
// session. The page can send files straight to a cloud only if the bucket's CORS
// rules allow it; examples/browserupload sets them.
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

	_ "github.com/omnibucket/storage/memstore"        // mem://
	_ "github.com/omnibucket/storage/providers/azure" // azblob://
	_ "github.com/omnibucket/storage/providers/gcs"   // gs://
	_ "github.com/omnibucket/storage/providers/s3"    // s3://
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "uploadservice:", err)
		os.Exit(1)
	}
}

// run serves pictures until ctx ends.
func run(ctx context.Context, args []string, stdout io.Writer) (result error) {
	flags := flag.NewFlagSet("uploadservice", flag.ContinueOnError)
	flags.SetOutput(stdout)
	flags.Usage = func() {
		_, _ = fmt.Fprintln(stdout, "usage: uploadservice [flags] [DIR]")
		flags.PrintDefaults()
	}

	bucket := flags.String(
		"bucket", "",
		"`address` of the bucket, such as mem://demo (default DIR, else a temporary directory)",
	)
	addr := flags.String("addr", "127.0.0.1:8080", "`host:port` to listen at")

	if err := flags.Parse(args); err != nil {
		return err
	}

	dir := flags.Arg(0)
	hasBoth := dir != "" && *bucket != ""
	if flags.NArg() > 1 || hasBoth {
		return errors.New("give one directory, or one -bucket")
	}
	if dir == "" && *bucket == "" {
		temporary, err := os.MkdirTemp("", "omnibucket-uploadservice-")
		if err != nil {
			return err
		}
		defer func() {
			result = errors.Join(result, os.RemoveAll(temporary))
		}()
		dir = temporary
	}

	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()

	origin := "http://" + listener.Addr().String()
	site, err := open(ctx, *bucket, dir, origin)
	if err != nil {
		return err
	}
	defer func() {
		result = errors.Join(result, site.Close())
	}()

	h, err := site.handler()
	if err != nil {
		return err
	}

	// One of the two is empty: the address of the bucket or the directory.
	_, _ = fmt.Fprintf(stdout, "bucket  %s%s\nOpen %s/ and stop with Ctrl-C.\n", *bucket, dir, origin)
	return serveUntil(ctx, listener, h)
}

// uploadTimeout limits how long a request may take. It suffices for the largest picture on a slow
// connection.
const (
	headerTimeout = 10 * time.Second
	uploadTimeout = 5 * time.Minute
	closeTimeout  = 2 * time.Second
)

// serveUntil serves requests until ctx ends. It then waits up to closeTimeout for the requests that
// are still running.
func serveUntil(ctx context.Context, listener net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: uploadTimeout}
	serveErr := make(chan error, 1)
	go func() { serveErr <- server.Serve(listener) }()

	select {
	case err := <-serveErr:
		return err
	case <-ctx.Done():
	}

	shutdownCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_ = server.Shutdown(shutdownCtx)
	return server.Close() // ends the requests that took longer
}
