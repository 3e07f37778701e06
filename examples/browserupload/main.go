// Browserupload serves a page that uploads images from the browser directly to a bucket, and shows
// them from there. The program signs requests, checks files and lists them. The bytes of the images
// never pass through it.
//
//	go run ./examples/browserupload                                  a temporary directory
//	go run ./examples/browserupload ~/shared                         a directory that stays
//	go run ./examples/browserupload -bucket mem://demo -public       memory; links that work for everyone
//	go run ./examples/browserupload -bucket 's3://demo?region=eu-west-1'
//	go run ./examples/browserupload -bucket 'azblob://demo?account=name'
//
// docs/files-of-users.md explains the design. The program has no users: anyone who reaches the page
// may upload and delete. In a program of yours, every handler of api.go must first authenticate the
// user.
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
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	_ "github.com/omnibucket/storage/memstore"        // mem://
	_ "github.com/omnibucket/storage/providers/azure" // azblob://
	_ "github.com/omnibucket/storage/providers/gcs"   // gs://
	_ "github.com/omnibucket/storage/providers/local" // file:///
	_ "github.com/omnibucket/storage/providers/s3"    // s3://
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "browserupload:", err)
		os.Exit(1)
	}
}

// settings holds the arguments and flags of the command line.
type settings struct {
	bucket  string // address of the bucket
	addr    string // address at which the page is served
	origins []string
	create  bool
	public  bool
	setCORS bool
}

// readSettings reads the command line. dir is the directory that it names, or "".
func readSettings(args []string, stdout io.Writer) (s settings, dir string, err error) {
	flags := flag.NewFlagSet("browserupload", flag.ContinueOnError)
	flags.SetOutput(stdout)
	flags.Usage = func() {
		_, _ = fmt.Fprintln(stdout, "usage: browserupload [flags] [DIR]")
		flags.PrintDefaults()
	}

	flags.StringVar(
		&s.bucket, "bucket", "",
		"`address` of the bucket, such as mem://demo (default DIR, else a temporary directory)",
	)
	flags.StringVar(&s.addr, "addr", "127.0.0.1:8080", "`host:port` at which the page is served")
	origin := flags.String(
		"origin", "",
		"`origins` under which browsers open the page, with commas between, if not at -addr: https://photos.example.com",
	)
	flags.BoolVar(&s.create, "create", false, "create the bucket first if it does not exist")
	flags.BoolVar(&s.public, "public", false, "store images readable by anyone, and copy links that do not expire")
	flags.BoolVar(&s.setCORS, "cors", true, "add the page to the bucket's CORS rules, if it is not there yet")

	if err := flags.Parse(args); err != nil {
		return s, "", err
	}
	if flags.NArg() > 1 || flags.NArg() == 1 && s.bucket != "" {
		return s, "", errors.New("give one directory, or one -bucket")
	}

	if *origin != "" {
		s.origins = strings.Split(*origin, ",")
	}
	return s, flags.Arg(0), nil
}

// run serves the page until ctx ends.
func run(ctx context.Context, args []string, stdout io.Writer) (result error) {
	s, dir, err := readSettings(args, stdout)
	if err != nil {
		return err
	}
	if s.bucket == "" && dir == "" {
		dir, err = os.MkdirTemp("", "omnibucket-browserupload-")
		if err != nil {
			return err
		}
		defer func() {
			result = errors.Join(result, os.RemoveAll(dir))
		}()
	}
	if s.bucket == "" {
		s.bucket, err = directoryAddress(dir)
		if err != nil {
			return err
		}
	}

	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	origins := originsOf(listener.Addr())
	s.origins = append(s.origins, origins...)

	site, err := open(ctx, s)
	if err != nil {
		return err
	}
	defer func() {
		result = errors.Join(result, site.Close())
	}()
	handler, err := site.handler()
	if err != nil {
		return err
	}

	_, _ = fmt.Fprintf(stdout, "bucket  %s\nstore   %s\nCORS    %s\nOpen %s/ and stop with Ctrl-C.\n",
		site.name, strings.Join(site.storeOrigins, " "), site.corsNote, origins[0])

	// The sweeps must end before the site is closed.
	var sweeps sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		sweeps.Wait()
	}()
	sweeps.Go(func() { site.sweepUntil(ctx) })
	return serveUntil(ctx, listener, handler)
}

// serveUntil serves requests until ctx ends. It then waits up to two seconds for the requests that are
// still running, and returns nil.
func serveUntil(ctx context.Context, listener net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
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

// directoryAddress returns the address of a directory. It works on Windows, too. When the address
// is opened, the directory is created.
func directoryAddress(dir string) (string, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return fileAddress(path), nil
}

// originsOf returns the origins of pages that this machine serves at addr. The first one is the
// origin to open. There may be several, because localhost and 127.0.0.1 are different origins for a
// browser.
func originsOf(addr net.Addr) []string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return []string{"http://" + addr.String()}
	}
	hosts := []string{host}
	if ip := net.ParseIP(host); ip.IsUnspecified() {
		hosts = []string{"localhost", "127.0.0.1"}
	} else if ip.IsLoopback() {
		hosts = append(hosts, "localhost")
	}
	var origins []string
	for _, h := range slices.Compact(hosts) {
		origins = append(origins, "http://"+net.JoinHostPort(h, port))
	}
	return origins
}
