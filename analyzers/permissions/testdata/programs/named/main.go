// Named opens locations of the configuration.
package main

import (
	"context"
	"log"
	"os"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/locations"
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
	b, err := locations.Open(ctx, "photos")
	if err != nil {
		log.Fatal(err)
	}
	_, _ = b.Exists(ctx, "a")
	other, _ := locations.Open(ctx, os.Args[1])
	_, _ = other.Exists(ctx, "a")
	_ = open
}
