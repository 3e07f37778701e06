// Twounknown opens several addresses that are not in the code.
package main

import (
	"context"
	"log"
	"os"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
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
	src, _ := storage.Open(ctx, os.Args[1])
	dst, _ := storage.Open(ctx, os.Args[2])
	_, _ = transfer.Copy(ctx, dst, src)
	_ = open("s3://known").Remove(ctx, "a")
	_, _ = open(os.Args[3]).Exists(ctx, "a")
	_ = open(os.Args[4]).Remove(ctx, "a")
}
