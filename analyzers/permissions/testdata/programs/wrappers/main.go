// Wrappers has an interface and types of its own around buckets.
package main

import (
	"context"
	"io"
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

// A sink has a method of Bucket in an interface of the program's own.
type sink interface {
	Upload(ctx context.Context, key string, body io.Reader, opts ...storage.UploadOption) (*storage.Attrs, error)
}

// A careful bucket looks before it uploads.
type careful struct{ storage.Bucket }

func (c careful) Upload(
	ctx context.Context, key string, body io.Reader, opts ...storage.UploadOption,
) (*storage.Attrs, error) {
	if found, err := c.Exists(ctx, key); found || err != nil {
		return nil, err
	}
	return c.Bucket.Upload(ctx, key, body, opts...)
}

func main() {
	ctx := context.Background()
	send(ctx, open("s3://plain"))
	send(ctx, careful{open("s3://careful")})
	_, _, _ = storage.ReadAll(ctx, careful{open("s3://read")}, "a")
}

func send(ctx context.Context, s sink) {
	_, _ = s.Upload(ctx, "a", strings.NewReader("text"), storage.IfAbsent())
}
