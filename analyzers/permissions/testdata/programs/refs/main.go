// Refs narrows buckets to rights.
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

type photos interface {
	storage.Uploader
	storage.SignedDownloader
}

func main() {
	ctx := context.Background()
	p := storage.Ref[photos](storage.Prefixed(open("s3://photos"), "users/"))
	_, _ = p.Upload(ctx, "a", strings.NewReader("text"), storage.IfAbsent())
	_, _ = p.SignedDownloadURL(ctx, "a")
	_, _ = storage.SignedRemoveURL(ctx, storage.Ref[storage.Remover](open("s3://bin")), "a", storage.WithVersion("1"))
	_, _ = storage.SignedUploadForm(ctx, open("s3://forms"), "a", 1, 2)
	_, _ = storage.Ref[storage.SignedUploader](open("s3://form")).SignedUploadURL(ctx, "a")
}
