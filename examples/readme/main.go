package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/memstore"        // mem://
	_ "github.com/omnibucket/storage/providers/local" // file:///
)

func main() {
	if err := run(context.Background(), "mem://demo"); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, address string) error {
	bucket, err := storage.Open(ctx, address)
	if err != nil {
		return err
	}
	defer storage.Close(bucket)

	_, err = bucket.Upload(ctx, "users/42/hello.txt", strings.NewReader("hello"), storage.IfAbsent())
	if err != nil && !errors.Is(err, storage.PreconditionFailed) { // there already: fine
		return err
	}
	for entry, err := range bucket.List(ctx, storage.WithPrefix("users/42/")) {
		if err != nil {
			return err
		}
		fmt.Println(entry.Key, entry.Size)
	}
	text, attrs, err := storage.ReadAll(ctx, bucket, "users/42/hello.txt")
	if err != nil {
		return err
	}
	fmt.Printf("%s (%s)\n", text, attrs.ContentType)
	return nil
}
