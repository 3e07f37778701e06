package pages

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/serve"
)

// linkReport returns a URL that lets anyone read one report for ten minutes. A browser saves the report with a name for
// people.
func linkReport(ctx context.Context, bucket storage.SignedDownloader) (string, error) {
	link, err := bucket.SignedDownloadURL(ctx, "reports/2026-11.pdf",
		storage.WithTTL(10*time.Minute), storage.WithDownloadName("Report November.pdf"))
	if err != nil {
		return "", err
	}
	return link.URL, nil
}

// linkPicture returns a URL that stays the same for a day, and that is valid for an hour more.
func linkPicture(ctx context.Context, bucket storage.SignedDownloader, key string) (string, error) {
	link, err := bucket.SignedDownloadURL(ctx, key, storage.WithStableFor(24*time.Hour), storage.WithTTL(time.Hour))
	if err != nil {
		return "", err
	}
	return link.URL, nil
}

// allowUpload returns a request that stores one picture with this key and size, and only once. Send it to the client as
// JSON.
func allowUpload(
	ctx context.Context, bucket storage.SignedUploader, key string, size int64,
) (*storage.SignedURL, error) {
	return bucket.SignedUploadURL(ctx, key,
		storage.WithContentType("image/png"), storage.WithSize(size), storage.IfAbsent(), storage.WithTTL(time.Hour))
}

// send sends a signed request with its method and all of its headers. It returns the status of the
// response.
func send(ctx context.Context, signedURL *storage.SignedURL, size int64, body io.Reader) (int, error) {
	request, err := signedURL.Request(ctx, body)
	if err != nil {
		return 0, err
	}
	request.ContentLength = size
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// openWithURLs opens a directory whose signed URLs begin with base. It also returns the handler that serves them.
func openWithURLs(dir, base string) (storage.Bucket, http.Handler, error) {
	bucket, err := local.Open(dir, local.Config{Create: true}, storage.WithSigningBaseURL(base))
	if err != nil {
		return nil, nil, err
	}
	return bucket, serve.NewHandler(bucket), nil
}
