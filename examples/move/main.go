// Move moves the objects of a bucket from one store to another while they are in use. Meanwhile a
// web page shows the objects, and writers change, create and remove objects. At the end, the
// program checks that nothing is lost.
//
//	go run ./examples/move                                        from a temporary directory to another
//	go run ./examples/move file:///srv/photos 's3://photos?region=eu-west-1' azblob://photos
//
// All objects of the first store move to the second one, and then to the third. The program creates
// objects with keys that begin with "move/".
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/overlay"
	_ "github.com/omnibucket/storage/providers/azure" // azblob://
	_ "github.com/omnibucket/storage/providers/gcs"   // gs://
	_ "github.com/omnibucket/storage/providers/local" // file:///
	_ "github.com/omnibucket/storage/providers/s3"    // s3://
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "move:", err)
		os.Exit(1)
	}
}

// settings holds the arguments and flags of the command line.
type settings struct {
	addr      string
	objects   int
	rest      time.Duration // pause between two steps of a move
	addresses []string
}

// readSettings reads the command line.
func readSettings(args []string, stdout io.Writer) (s settings, err error) {
	flags := flag.NewFlagSet("move", flag.ContinueOnError)
	flags.SetOutput(stdout)
	flags.Usage = func() {
		_, _ = fmt.Fprintln(stdout, "usage: move [flags] [ADDRESS ADDRESS...]")
		flags.PrintDefaults()
	}
	flags.StringVar(&s.addr, "addr", "127.0.0.1:0", "`host:port` at which the page is served")
	flags.IntVar(&s.objects, "objects", 500, "how many objects the program puts into the first store")
	flags.DurationVar(&s.rest, "rest", time.Second, "how long it rests between two steps")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	s.addresses = flags.Args()
	if len(s.addresses) == 1 || s.objects < 1 || s.rest < 0 {
		return s, errors.New("give two addresses or more, at least one object, and no negative rest")
	}
	return s, nil
}

// run runs the program with these arguments.
func run(ctx context.Context, args []string, stdout io.Writer) (result error) {
	s, err := readSettings(args, stdout)
	if err != nil {
		return err
	}
	if len(s.addresses) == 0 {
		dir, err := os.MkdirTemp("", "omnibucket-move-")
		if err != nil {
			return err
		}
		defer func() {
			result = errors.Join(result, os.RemoveAll(dir))
		}()
		s.addresses = []string{directoryAddress(dir, "old"), directoryAddress(dir, "new")}
	}

	first, err := storage.Open(ctx, s.addresses[0])
	if err != nil {
		return err
	}
	page := &site{bucket: first}
	defer func() {
		result = errors.Join(result, page.close())
	}()

	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: page.handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()
	pageURL := "http://" + listener.Addr().String() + "/"
	_, _ = fmt.Fprintf(stdout, "The page is at %s\n", pageURL)

	// Move the bucket while users read and write its objects, and then check the objects.
	users, err := startUsers(ctx, page, pageURL, s.objects)
	if err != nil {
		return err
	}
	moveErr := moveAll(ctx, page, s, stdout)
	usersErr := users.end()
	if err := errors.Join(moveErr, usersErr); err != nil {
		return err
	}
	objects, err := users.check(ctx, page.bucket)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(
		stdout, "%d writes and %d visits; all %d objects are as they were written\n", users.writes.Load(),
		users.visits.Load(), objects,
	)
	return nil
}

// moveAll moves the bucket of a page from one address to the next, in order.
func moveAll(ctx context.Context, page *site, s settings, stdout io.Writer) error {
	for _, address := range s.addresses[1:] {
		if err := rest(ctx, s.rest); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(stdout, "moving to %s\n", strings.SplitN(address, "?", 2)[0])
		report, err := page.move(ctx, address)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(stdout, "copied %d objects (%d bytes)\n", report.Copied, report.Bytes)
	}
	return rest(ctx, s.rest)
}

// move moves the bucket of the page to another store. It follows the steps in
// docs/moving-stores.md.
func (s *site) move(ctx context.Context, address string) (overlay.Report, error) {
	layer, err := overlay.New(s.bucket, overlay.Config{CopyOnRead: true})
	if err != nil {
		return overlay.Report{}, err
	}
	overlaid, err := storage.Open(ctx, address, driver.WithLayer(layer))
	if err != nil {
		return overlay.Report{}, err
	}

	// From here on, the visitors use both stores, and the layer copies the objects to the new one.
	if err := s.replace(overlaid, nil); err != nil {
		return overlay.Report{}, err
	}
	report, err := overlay.Finish(ctx, overlaid, overlay.FinishConfig{})
	if err != nil {
		return report, err
	}

	// From here on, the visitors use only the new store.
	next, err := storage.Open(ctx, address)
	if err != nil {
		return report, err
	}
	removeMarkers := func() error {
		_, err := overlay.RemoveMarkers(ctx, overlaid)
		return err
	}
	return report, s.replace(next, removeMarkers)
}

func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// directoryAddress returns the address of a directory that need not exist. It works on Windows,
// too.
func directoryAddress(dir, name string) string {
	path := filepath.ToSlash(filepath.Join(dir, name))
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: "create=true"}).String()
}
