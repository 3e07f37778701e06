// Tour shows what a bucket can do: it uploads a directory tree, lists it, reads it, protects it
// from overwriting, and removes it. It uses a new prefix, and changes nothing else in the bucket.
//
//	go run ./examples/tour                             this repository, into a temporary directory
//	go run ./examples/tour ~/pictures                  another tree
//	go run ./examples/tour -bucket mem://demo          into memory
//	go run ./examples/tour -bucket file:///tmp/demo?create=true -keep
//	go run ./examples/tour -bucket 's3://demo?region=eu-west-1'
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/memstore"        // mem://
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
		fmt.Fprintln(os.Stderr, "tour:", strings.ReplaceAll(err.Error(), "\n", "; "))
		os.Exit(1)
	}
}

// run runs the program with these arguments.
func run(ctx context.Context, args []string, stdout io.Writer) (result error) {
	flags := flag.NewFlagSet("tour", flag.ContinueOnError)
	flags.SetOutput(stdout)
	flags.Usage = func() {
		_, _ = fmt.Fprintln(stdout, "usage: tour [-bucket ADDRESS] [-create] [-keep] [DIR]")
		flags.PrintDefaults()
	}
	address := flags.String(
		"bucket", "",
		"`address` of the bucket, such as mem://demo or file:///tmp/demo?create=true (default a temporary directory)",
	)
	create := flags.Bool("create", false, "create the bucket first, unless it exists")
	keep := flags.Bool("keep", false, "leave the objects in the bucket")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 1 {
		return fmt.Errorf("want at most one directory, not %d: %s", flags.NArg(), strings.Join(flags.Args(), " "))
	}
	tree, err := openTree(flags.Arg(0))
	if err != nil {
		return err
	}

	where := *address
	if where == "" {
		dir, err := os.MkdirTemp("", "omnibucket-tour-")
		if err != nil {
			return err
		}
		if !*keep {
			defer func() {
				result = errors.Join(result, os.RemoveAll(dir))
			}()
		}
		where = directoryAddress(dir)
	}
	if *create {
		if err := createBucket(ctx, where); err != nil {
			return err
		}
	}
	bucket, err := storage.Open(ctx, where)
	if err != nil {
		return err
	}
	defer func() {
		result = errors.Join(result, storage.Close(bucket))
	}()

	// The bucket may contain other objects, so this run uses a new prefix.
	prefix := "tour-" + time.Now().UTC().Format("20060102-150405.000000") + "/"
	tour := &tour{
		out:    newPrinter(stdout),
		bucket: storage.Prefixed(bucket, prefix),
		tree:   tree,
	}
	tour.out.facts("omnibucket tour",
		fact{"tree", tree.name},
		fact{"bucket", where + temporary(*address, *keep)},
		fact{"prefix", prefix})
	return tour.take(ctx, *keep)
}

// createBucket creates the bucket at this address. The address of the account is the same address
// without the name of the bucket.
func createBucket(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return errors.New("-create requires an address that names a bucket, such as s3://demo")
	}
	name := u.Host
	u.Host = ""
	service, err := storage.OpenService(ctx, u.Scheme+"://?"+u.RawQuery)
	if err != nil {
		return err
	}
	_, err = service.CreateBucket(ctx, name)
	if errors.Is(err, storage.BucketExists) {
		err = nil
	}
	return errors.Join(err, service.Close())
}

// directoryAddress returns the address of a directory. It works on Windows, too.
func directoryAddress(dir string) string {
	path := filepath.ToSlash(dir)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

func temporary(address string, keep bool) string {
	switch {
	case address != "":
		return ""
	case keep:
		return "  (a temporary directory, kept)"
	default:
		return "  (a temporary directory, removed at the end)"
	}
}
