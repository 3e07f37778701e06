// Services manages buckets.
package main

import (
	"context"
	"log"

	"github.com/omnibucket/storage"
)

func open(address string) storage.Bucket {
	b, err := storage.Open(context.Background(), address)
	if err != nil {
		log.Fatal(err)
	}
	return b
}

func main() {
	ctx := context.Background()
	s, err := storage.OpenService(ctx, "gs://?project=one")
	if err != nil {
		log.Fatal(err)
	}
	_, _ = s.CreateBucket(ctx, "photos", storage.WithVersioning(true))
	b, _ := s.Bucket("photos")
	_ = b.Remove(ctx, "a", storage.WithVersion("1"))
	_ = s.DeleteBucket(ctx, "photos")
	_ = open
}
