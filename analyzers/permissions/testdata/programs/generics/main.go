// Generics has functions and types with type parameters.
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

type box[T any] struct{ value T }

func (b *box[T]) get() T { return b.value }

func put[B storage.Uploader](ctx context.Context, b B) {
	_, _ = b.Upload(ctx, "a", strings.NewReader("text"))
}

func first[T any](all ...T) T { return all[0] }

func main() {
	ctx := context.Background()
	put(ctx, open("s3://put"))
	held := &box[storage.Bucket]{open("s3://held")}
	_ = held.get().Remove(ctx, "a")
	_, _ = first(open("s3://first")).Exists(ctx, "a")
}
