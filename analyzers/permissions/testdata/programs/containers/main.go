// Containers keeps buckets in maps, slices, arrays and channels.
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

func main() {
	ctx := context.Background()
	byName := map[string]storage.Bucket{"a": open("s3://map")}
	byName["b"] = open("s3://other")
	_ = byName["a"].Remove(ctx, "a")
	list := append([]storage.Bucket{open("s3://slice")}, open("s3://appended"))
	for _, b := range list {
		_, _ = b.Exists(ctx, "a")
	}
	ways := make(chan storage.Bucket, 1)
	ways <- open("s3://channel")
	select {
	case b := <-ways:
		_, _ = b.Upload(ctx, "a", strings.NewReader("text"))
	default:
	}
	array := [2]storage.Bucket{1: open("s3://array")}
	_, _ = array[1].Attrs(ctx, "a")
}
