package storage_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local"
)

// A program sets the mode of a file. Object stores have no modes, so the program uses the local
// driver itself.
func ExampleAs() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() {
		_ = os.RemoveAll(dir)
	}()
	bucket, err := local.Open(dir, local.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() {
		_ = storage.Close(bucket)
	}()
	if _, err := bucket.Upload(ctx, "bin/backup", strings.NewReader("#!/bin/sh\n")); err != nil {
		fmt.Println(err)
		return
	}
	if root, ok := storage.As[*os.Root](bucket); ok { // on S3 an *s3.Client of its SDK
		fmt.Println(root.Chmod("bin/backup", 0o700))
	}
	_, ok := storage.As[*http.Client](bucket)
	fmt.Println(ok)
	// Output:
	// <nil>
	// false
}
