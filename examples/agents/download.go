package agents

import (
	"context"
	"io"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/serve"
)

// stream copies an object of any size.
func stream(ctx context.Context, bucket storage.Downloader, key string, w io.Writer) error {
	reader, err := bucket.Download(ctx, key) // reader.Attrs() has type, size and metadata
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
	_, err = io.Copy(w, reader)
	return err
}

// head returns the first kilobyte. Without WithRange, ReadAll returns everything.
func head(ctx context.Context, bucket storage.Downloader, key string) ([]byte, *storage.Attrs, error) {
	return storage.ReadAll(ctx, bucket, key, storage.WithRange(0, 1000)) // offset, length
}

// handle serves objects with ranges, conditional requests and statuses such as 404.
func handle(bucket storage.Downloader) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		serve.Object(w, r, bucket, "photos/"+r.PathValue("name"))
	}
}
