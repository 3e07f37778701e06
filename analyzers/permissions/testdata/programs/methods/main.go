// Methods calls methods by values, expressions and callbacks.
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
	a, b, c := open("s3://a"), open("s3://b"), open("s3://c")
	upload := a.Upload
	_, _ = upload(ctx, "a", strings.NewReader("text"), storage.IfAbsent())
	each(b.Remove)
	exists := storage.Bucket.Exists
	_, _ = exists(c, ctx, "a")
	read := storage.ReadAll
	_, _, _ = read(ctx, c, "a")
}

func each(f func(context.Context, string, ...storage.RemoveOption) error) {
	_ = f(context.Background(), "a")
}
