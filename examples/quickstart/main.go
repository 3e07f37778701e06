// Quickstart uploads an object, lists it, reads it and removes it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/memstore"        // mem://
	_ "github.com/omnibucket/storage/providers/local" // file:///
	_ "github.com/omnibucket/storage/providers/s3"    // s3://
)

func main() {
	address := flag.String("bucket", "mem://demo", "address of the bucket")
	flag.Parse()
	if err := run(context.Background(), *address, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, address string, w io.Writer) error {
	bucket, err := storage.Open(ctx, address)
	if err != nil {
		return err
	}
	defer storage.Close(bucket)

	const key = "quickstart/hello.txt"
	_, err = bucket.Upload(ctx, key, strings.NewReader("hello"), storage.IfAbsent())
	// The object may exist already.
	if err != nil && !errors.Is(err, storage.PreconditionFailed) {
		return err
	}
	fmt.Fprintln(w, "uploaded", key)
	for entry, err := range bucket.List(ctx, storage.WithPrefix("quickstart/")) {
		if err != nil {
			return err
		}
		fmt.Fprintln(w, "listed", entry.Key, entry.Size, "bytes")
	}
	text, attrs, err := storage.ReadAll(ctx, bucket, key)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "read %q (%s)\n", text, attrs.ContentType)
	if err := bucket.Remove(ctx, key); err != nil {
		return err
	}
	fmt.Fprintln(w, "removed", key)
	return nil
}
