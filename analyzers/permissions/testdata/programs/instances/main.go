// Instances puts types of its own into interfaces in generic functions.
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

type own struct{ storage.Bucket }

func boxed[T any](v T) any { return v }

func wide[B storage.Bucket](b B) storage.Bucket { return b }

func main() {
	ctx := context.Background()
	_ = boxed(own{open("s3://any")}).(storage.Remover).Remove(ctx, "a")
	_, _ = wide(own{open("s3://value")}).Exists(ctx, "a")
	_, _ = wide(&own{open("s3://pointer")}).Attrs(ctx, "a")
}
