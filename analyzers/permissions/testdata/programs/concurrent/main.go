// Concurrent calls in goroutines and at the end of functions.
package main

import (
	"context"
	"log"
	"strings"
	"sync"

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
	a, b, c := open("s3://a"), open("s3://b"), open("s3://c")
	defer b.Remove(ctx, "a")
	defer func() { _, _ = c.Exists(ctx, "a") }()
	var group sync.WaitGroup
	group.Go(func() { _, _ = a.Upload(ctx, "a", strings.NewReader("text")) })
	go a.Remove(ctx, "a")
	group.Wait()
	once := sync.OnceValue(func() storage.Bucket { return open("s3://once") })
	for entry, err := range once().List(ctx) {
		if err == nil {
			_, _ = once().Attrs(ctx, entry.Key)
		}
	}
}
