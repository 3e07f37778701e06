package main

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/memstore" // mem://
)

func main() {
	ctx := context.Background()
	bucket, err := storage.Open(ctx, "mem://demo")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := bucket.Upload(ctx, "hello.txt", strings.NewReader("hello"), storage.IfAbsent()); err != nil {
		log.Fatal(err) // errors.Is(err, storage.PreconditionFailed): somebody else was first
	}
	text, attrs, err := storage.ReadAll(ctx, bucket, "hello.txt")
	fmt.Printf("%s, %s, %v\n", text, attrs.ContentType, err)
}
