// Driver uses a store that has a driver of its own, package shelf. The store is in this process.
//
//	go run ./examples/driver
//
// docs/writing-a-driver.md explains how such a driver is written.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/examples/driver/shelf" // shelf://
	"github.com/omnibucket/storage/examples/driver/shelfserver"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: shelfserver.New(), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()

	bucket, err := storage.Open(ctx, "shelf://"+listener.Addr().String())
	if err != nil {
		return err
	}
	defer storage.Close(bucket)
	if _, err := bucket.Upload(ctx, "notes/1.txt", strings.NewReader("all is well"), storage.IfAbsent()); err != nil {
		return err
	}
	_, err = bucket.Upload(ctx, "notes/1.txt", strings.NewReader("again"), storage.IfAbsent())
	fmt.Fprintln(w, storage.CodeOf(err)) // code of the error that the store returned
	_, err = storage.Tags(ctx, bucket, "notes/1.txt")
	fmt.Fprintln(w, storage.CodeOf(err)) // Unsupported, because the store has no tags
	text, attrs, err := storage.ReadAll(ctx, bucket, "notes/1.txt")
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s (%s)\n", text, attrs.ContentType)
	return nil
}
