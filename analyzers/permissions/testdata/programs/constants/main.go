// Constants opens two buckets by one function. Their operations do not mix.
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
	in, out := open("s3://in?access_key=AKIASECRET"), open("s3://out")
	store(ctx, out)
	_, _ = in.Exists(ctx, "a")
}

func store(ctx context.Context, b storage.Bucket) {
	_, _ = b.Upload(ctx, "a", strings.NewReader("text"))
}
