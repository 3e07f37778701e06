// Parquet writes a table of eight columns to a bucket, as one Parquet file, and then reads two of
// the columns. It prints how many requests and bytes that takes. It also prints the numbers for an
// ideal reader that knows in advance where everything is. For a table of any size, the numbers are
// almost the same.
//
//	go run -C tools/examples/parquet . [-bucket ADDRESS] [-rows N]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/memstore"        // mem://
	_ "github.com/omnibucket/storage/providers/local" // file:///
	_ "github.com/omnibucket/storage/providers/s3"    // s3://
)

func main() {
	address := flag.String("bucket", "mem://tables", "address of the bucket")
	rows := flag.Int("rows", 1_000_000, "rows of the table")
	flag.Parse()
	if err := run(context.Background(), *address, *rows, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, address string, rows int, w io.Writer) error {
	const key = "examples/trips.parquet"
	var seen traffic
	bucket, err := storage.Open(ctx, address, storage.WithHook(seen.hook))
	if err != nil {
		return err
	}
	defer storage.Close(bucket)
	attrs, err := upload(ctx, bucket, key, rows)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "uploaded %d rows, %d bytes\n", rows, attrs.Size)

	// Count only the requests of readColumns.
	seen.reset()
	got, readErr := readColumns(ctx, bucket, key, "distance", "fare")
	requests := seen.requests.Load()
	bytes := seen.bytes.Load()

	removeErr := bucket.Remove(context.WithoutCancel(ctx), key)
	if err := errors.Join(readErr, removeErr); err != nil {
		return err
	}
	fmt.Fprintf(w, "distance %.0f, fare %.0f\n", got.sums["distance"], got.sums["fare"])
	fmt.Fprintf(w, "read %d bytes by %d requests; an ideal reader: %d bytes by %d requests\n",
		bytes, requests, got.ideal.bytes, got.ideal.requests)
	return nil
}
