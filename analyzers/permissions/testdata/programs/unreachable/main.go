// Unreachable has code that cannot run.
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

type job struct{ b storage.Bucket }

func (j job) Run(ctx context.Context) { _ = j.b.Remove(ctx, "a") }

func never(ctx context.Context) { _ = open("s3://never").Remove(ctx, "a") }

func main() {
	j := job{open("s3://job")}
	_, _ = j.b.Exists(context.Background(), "a")
}
