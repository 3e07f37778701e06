// Command ours stores one object with omnibucket and then ends. The benchmarks measure how long
// that takes.
package main

import (
	"context"
	"log"
	"os"
	"strings"

	"github.com/omnibucket/storage/providers/s3"
)

func main() {
	ctx := context.Background()
	profile, _ := s3.NamedProfile("aws")
	// The credentials come from environment variables.
	bucket, err := s3.Open(
		ctx,
		s3.Config{Bucket: "bucket", Region: "us-east-1", Endpoint: os.Args[1], PathStyle: new(true), Profile: &profile},
	)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := bucket.Upload(ctx, "key", strings.NewReader("hello")); err != nil {
		log.Fatal(err)
	}
}
