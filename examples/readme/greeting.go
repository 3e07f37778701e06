package readme

import (
	"context"
	"fmt"
	"strings"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/memstore" // mem://
)

func greet(ctx context.Context) error {
	bucket, err := storage.Open(ctx, "mem://demo")
	if err != nil {
		return err
	}
	if _, err := bucket.Upload(ctx, "hello.txt", strings.NewReader("hello"), storage.IfAbsent()); err != nil {
		return err // errors.Is(err, storage.PreconditionFailed): somebody else was first
	}
	text, attrs, err := storage.ReadAll(ctx, bucket, "hello.txt")
	fmt.Printf("%s, %s, %v\n", text, attrs.ContentType, err)
	return err
}
