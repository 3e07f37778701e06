// Options passes options in several ways.
package main

import (
	"context"
	"log"
	"os"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

func open(address string) storage.Bucket {
	b, err := storage.Open(context.Background(), address)
	if err != nil {
		log.Fatal(err)
	}
	return b
}

var always = []storage.UploadOption{storage.WithTags(map[string]string{"a": "b"})}

func main() {
	ctx := context.Background()
	b, c, d := open("s3://b"), open("s3://c"), open("s3://d")
	opts := append(always, storage.IfAbsent())
	if len(os.Args) > 1 {
		opts = append(opts, storage.WithRetention(time.Now().Add(time.Hour), storage.Governance))
	}
	_, _ = b.Upload(ctx, "a", strings.NewReader("text"), opts...)
	_, _ = b.Download(ctx, "a")
	_, _ = c.Upload(ctx, "a", strings.NewReader("text"), ctx.Value(0).([]storage.UploadOption)...)
	_ = d.Remove(ctx, "a")
}
