package gcs_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/gcs"
)

// Without more fields, application default credentials are used. The address of this bucket is
// gs://photos.
func ExampleOpen() {
	ctx := context.Background()
	bucket, err := gcs.Open(ctx, gcs.Config{Bucket: "photos"})
	if err != nil {
		log.Fatal(err)
	}
	defer storage.Close(bucket)
	attrs, err := bucket.Upload(ctx, "cat.jpg", strings.NewReader("…"), storage.IfAbsent())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(attrs.Revision) // the generation, for storage.IfRevision
}
