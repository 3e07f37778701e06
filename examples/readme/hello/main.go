package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/memstore"        // mem://
	_ "github.com/omnibucket/storage/providers/local" // file://
	_ "github.com/omnibucket/storage/providers/s3"    // s3://
)

func main() {
	if err := hello(context.Background(), os.Args[len(os.Args)-1], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func hello(ctx context.Context, address string, w io.Writer) error {
	bucket, err := storage.Open(ctx, address)
	if err != nil {
		return err
	}
	defer storage.Close(bucket)

	_, err = bucket.Upload(ctx, "hello.txt", strings.NewReader("hello"), storage.IfAbsent())
	if errors.Is(err, storage.PreconditionFailed) {
		fmt.Fprintln(w, "hello.txt exists, and stays as it is")
	} else if err != nil {
		return err
	}
	text, attrs, err := storage.ReadAll(ctx, bucket, "hello.txt")
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s, %s, %d bytes\n", text, attrs.ContentType, attrs.Size)
	return nil
}
