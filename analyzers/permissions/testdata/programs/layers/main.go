// Layers has a bucket that is mirrored, and one that moves to another store.
package main

import (
	"context"
	"log"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/layers/overlay"
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
	m, _ := mirror.New(open("s3://second"), mirror.Config{})
	b, _ := storage.Open(ctx, "s3://first", driver.WithLayer(m))
	_ = b.Remove(ctx, "a")
	o, _ := overlay.New(open("s3://old"), overlay.Config{})
	moving, _ := storage.Open(ctx, "s3://new", driver.WithLayer(o))
	_, _ = moving.Upload(ctx, "a", strings.NewReader("text"))
}
