// Copies copies inside a bucket and between two.
package main

import (
	"context"
	"log"

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
	a, b, c := open("s3://a"), open("s3://b"), open("s3://c")
	_, _ = storage.Copy(ctx, a, "b", a, "a")
	_, _ = storage.Copy(ctx, b, "a", c, "a", storage.IfAbsent())
	_, _ = transfer.Sync(ctx, transfer.Bucket(open("s3://to")), transfer.Bucket(open("s3://from")), transfer.WithDelete())
}
