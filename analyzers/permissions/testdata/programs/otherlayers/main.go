// Otherlayers has layers of which no call of Open tells to which bucket they belong.
package main

import (
	"context"
	"log"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/providers/s3"
)

func open(address string) storage.Bucket {
	b, err := storage.Open(context.Background(), address)
	if err != nil {
		log.Fatal(err)
	}
	return b
}

func copies(address string) driver.Layer {
	l, err := mirror.New(open(address), mirror.Config{})
	if err != nil {
		log.Fatal(err)
	}
	return l
}

func main() {
	ctx := context.Background()
	d, err := s3.NewDriver(ctx, s3.Config{Bucket: "photos"})
	if err != nil {
		log.Fatal(err)
	}
	_ = engine.New(d, driver.WithLayer(copies("s3://of-engine"))).Remove(ctx, "a")
	b, err := s3.Open(ctx, s3.Config{Bucket: "music"}, driver.WithLayer(func(d driver.Driver) driver.Driver {
		return copies("s3://of-function")(d)
	}))
	if err == nil {
		_ = b.Remove(ctx, "a")
	}
	b, err = s3.Open(ctx, s3.Config{Bucket: "films"}, driver.WithLayer(copies("s3://of-open")))
	if err == nil {
		_ = b.Remove(ctx, "a")
	}
}
