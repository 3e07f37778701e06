// Embedded embeds buckets.
package main

import (
	"context"
	"log"
	"strings"

	"github.com/omnibucket/storage"
)

func open(address string) storage.Bucket {
	b, err := storage.Open(context.Background(), address)
	if err != nil {
		log.Fatal(err)
	}
	return b
}

type store struct {
	storage.Bucket
	name string
}

type outer struct{ *store }

func main() {
	ctx := context.Background()
	s := &store{Bucket: open("s3://direct")}
	_, _ = s.Upload(ctx, "a", strings.NewReader("text"))
	remove(ctx, &store{Bucket: open("s3://passed")})
	remove(ctx, outer{&store{Bucket: open("s3://outer")}})
}

func remove(ctx context.Context, b storage.Remover) { _ = b.Remove(ctx, "a") }
