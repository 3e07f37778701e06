// Deletes mirrors a bucket with a job that removes what the source lacks.
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
	users := storage.Prefixed(open("s3://photos"), "users/")
	src, dst := transfer.Bucket(users), transfer.Bucket(open("s3://mirrored"))
	_, _ = transfer.Sync(ctx, dst, src, transfer.WithDelete())
	_ = open("s3://no").Remove(ctx, "a") // the name is too short
}
