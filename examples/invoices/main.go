// Invoices stores invoices as a company must store them: encrypted with the company's key, tagged,
// and locked so that nobody can remove them too early. The same program works in memory, with a
// directory and with a cloud provider. Only the address differs, which also names the encryption
// key.
//
//	go run ./examples/invoices                                               in memory
//	go run ./examples/invoices -bucket 'file:///tmp/invoices?create=true'
//	go run ./examples/invoices -create -bucket 's3://invoices?region=eu-west-1&kms_key=alias/invoices'
//
// The program uses a new prefix for each run, and removes its invoices at the end. The lock mode
// Governance allows that to users with a special permission. A real archive would use the mode
// Compliance.
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
		fmt.Fprintln(os.Stderr, "invoices:", err)
		os.Exit(1)
	}
}

// run runs the program with these arguments.
func run(ctx context.Context, args []string, stdout io.Writer) (result error) {
	flags := flag.NewFlagSet("invoices", flag.ContinueOnError)
	flags.SetOutput(stdout)
	address := flags.String("bucket", "mem://invoices", "`address` of the bucket, which locks objects")
	create := flags.Bool("create", false, "create the bucket first, unless it exists")
	retain := flags.Duration("retain", time.Hour, "how long invoices are kept")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *create {
		if err := createBucket(ctx, *address); err != nil {
			return err
		}
	}
	bucket, err := storage.Open(ctx, *address, storage.WithObjectLock())
	if err != nil {
		return err
	}
	defer func() {
		result = errors.Join(result, storage.Close(bucket))
	}()

	// The bucket may contain other objects, so this run uses a new prefix.
	prefix := "invoices-" + time.Now().UTC().Format("20060102-150405.000000") + "/"
	a := &archive{out: stdout, bucket: storage.Prefixed(bucket, prefix), retain: *retain}
	defer func() {
		result = errors.Join(result, a.removeAll(context.WithoutCancel(ctx)))
	}()
	return a.fileYear(ctx)
}

// createBucket creates a bucket that supports object locks. On S3, they must be enabled when a
// bucket is created.
func createBucket(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return errors.New("-create requires an address that names a bucket, such as s3://invoices")
	}
	name := u.Host
	u.Host = ""
	service, err := storage.OpenService(ctx, u.Scheme+"://?"+u.RawQuery)
	if err != nil {
		return err
	}
	_, err = service.CreateBucket(ctx, name, storage.WithObjectLock())
	if errors.Is(err, storage.BucketExists) {
		err = nil
	}
	return errors.Join(err, service.Close())
}
