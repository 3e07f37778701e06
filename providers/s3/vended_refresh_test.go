package s3

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// openVendedBucket opens a bucket with credentials from vendor. The bucket's store refuses
// credentials that vendor does not admit, and needs copyTime for each part that it copies.
func openVendedBucket(t *testing.T, vendor *wiretest.Vendor, copyTime time.Duration) storage.Bucket {
	handle := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Amz-Request-Id", "R1")
		query := r.URL.Query()
		switch {
		case !vendor.Admits(r.Header.Get("X-Amz-Security-Token")):
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w,
				`<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>`)
		case r.Method == http.MethodHead:
			w.Header().Set("Content-Length", "6442450944") // 6 GiB: 24 parts
			w.Header().Set("Etag", `"e"`)
			w.Header().Set("Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
		case query.Has("uploads"):
			_, _ = io.WriteString(w, begun)
		case query.Has("partNumber"):
			time.Sleep(copyTime)
			_, _ = io.WriteString(w, partCopied)
		case query.Has("uploadId"):
			_, _ = io.WriteString(w, finished)
		case r.Method == http.MethodPut:
			w.Header().Set("Etag", `"e"`)
		}
	}
	d, err := NewDriver(t.Context(), Config{
		Bucket:     "photos",
		Region:     "eu-west-1",
		Endpoint:   "http://store.invalid",
		Profile:    newProfile(t, "aws"),
		HTTPClient: wiretest.OnPipes(t, &http.Server{Handler: http.HandlerFunc(handle)}),
		CredentialsFor: func(context.Context, string) (PrefixCredentials, error) {
			secret, expires := vendor.Vend()
			return PrefixCredentials{
				AccessKeyID:  "key",
				SecretKey:    secret,
				SessionToken: secret,
				Expires:      expires,
			}, nil
		},
	})
	require.NoError(t, err)
	return engine.New(d)
}

// Credentials that expire during a copy of many parts are replaced, and the copy continues.
func TestCredentialsReplacedWithinCopy(t *testing.T) {
	copies := map[string]func(context.Context, storage.Bucket) error{
		"copy": func(ctx context.Context, b storage.Bucket) error {
			_, err := storage.Copy(ctx, b, "to", b, "from", storage.WithTags(map[string]string{"k": "v"}))
			return err
		},
		"compose": func(ctx context.Context, b storage.Bucket) error {
			sources := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
			_, err := storage.Compose(ctx, b, "to", sources)
			return err
		},
	}
	wiretest.CredentialsAreReplacedWithin(t, openVendedBucket, copies)
}

// Vended credentials are replaced once if they are refused. The Go SDK by itself refreshes
// credentials only when they expire: see aws/aws-sdk-go-v2#2135.
func TestCredentialsRefusedReplacedOnce(t *testing.T) {
	wiretest.RefusedCredentialsAreReplacedOnce(t, openVendedBucket)
}
