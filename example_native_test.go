//go:build !race || omnibucket_sdks

// To build the SDK of S3 for the race detector takes longer than all tests of this package.

package storage_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// A program sets the permissions of a file, which no object store has.
func ExampleAs() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	bucket, err := local.Open(dir, local.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = storage.Close(bucket) }()
	if _, err := bucket.Upload(ctx, "bin/backup", strings.NewReader("#!/bin/sh\n")); err != nil {
		fmt.Println(err)
		return
	}
	if root, ok := storage.As[*os.Root](bucket); ok { // on S3 an *s3.Client of its SDK
		fmt.Println(root.Chmod("bin/backup", 0o700))
	}
	_, ok := storage.As[*awss3.Client](bucket)
	fmt.Println(ok)
	// Output:
	// <nil>
	// false
}

// S3's own answer has more than Attrs.
func ExampleAttrsAs() {
	ctx := context.Background()
	server, err := s3server.Start(s3server.Config{Buckets: []string{"photos"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	bucket, err := s3.Open(ctx, s3.Config{
		Endpoint: server.URL, Bucket: "photos", Region: s3server.DefaultRegion, PathStyle: new(true),
		AccessKeyID: s3server.DefaultAccessKeyID, SecretKey: s3server.DefaultSecretKey,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = storage.Close(bucket) }()
	if _, err := bucket.Upload(ctx, "cat.jpg", strings.NewReader("a cat")); err != nil {
		fmt.Println(err)
		return
	}
	attrs, err := bucket.Attrs(ctx, "cat.jpg", storage.WithNativeAttrs())
	if err != nil {
		fmt.Println(err)
		return
	}
	if native, ok := storage.AttrsAs[*awss3.HeadObjectOutput](attrs); ok {
		fmt.Println(*native.AcceptRanges)
	}
	// Output: bytes
}
