package azure

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// openVendedBucket opens a container of a service that takes work for each block that it copies, and refuses signatures that do
// not hold.
func openVendedBucket(t *testing.T, vendor *wiretest.Vendor, work time.Duration) storage.Bucket {
	client := wiretest.OnPipes(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		source := r.Header.Get("X-Ms-Copy-Source")
		w.Header().Set("X-Ms-Request-Id", "R1")
		if !vendor.Admits(r.URL.Query().Get("sig")) || source != "" && !vendor.Admits(signatureOfSource(t, source)) {
			w.Header().Set("X-Ms-Error-Code", "AuthenticationFailed")
			w.WriteHeader(http.StatusForbidden)
			return
		}
		if source != "" {
			time.Sleep(work)
		}
		w.Header().Set("Etag", etag)
		w.Header().Set("Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
		if r.Method == http.MethodHead {
			w.Header().Set("Content-Length", "6442450944") // 24 blocks
			if !strings.HasSuffix(r.URL.Path, "/from") {
				w.Header().Set("Content-Length", "2147483648")
			}
			w.Header().Set("X-Ms-Blob-Type", "BlockBlob")
			return
		}
		w.WriteHeader(http.StatusCreated)
	})})
	d, err := NewDriver(t.Context(), Config{
		Bucket:     "photos",
		Endpoint:   "http://store.invalid/acme",
		HTTPClient: client,
		CredentialsFor: func(context.Context, string) (PrefixCredentials, error) {
			secret, expires := vendor.Vend()
			return PrefixCredentials{SASToken: "?sv=2025-11-05&sig=" + secret, Expires: expires}, nil
		},
	})
	require.NoError(t, err)
	return engine.New(d)
}

func signatureOfSource(t *testing.T, source string) string {
	u, err := url.Parse(source)
	require.NoError(t, err)
	return u.Query().Get("sig")
}

// Credentials are replaced within a copy of many blocks.
func TestCredentialsReplacedWithinCopy(t *testing.T) {
	wiretest.CredentialsAreReplacedWithin(t, openVendedBucket, map[string]func(context.Context, storage.Bucket) error{
		"copy": func(ctx context.Context, b storage.Bucket) error {
			_, err := storage.Copy(ctx, b, "to", b, "from")
			return err
		},
		"compose": func(ctx context.Context, b storage.Bucket) error {
			_, err := storage.Compose(ctx, b, "to", []string{"a", "b", "c"})
			return err
		},
	})
}

// Refused credentials are replaced once.
func TestCredentialsRefusedReplacedOnce(t *testing.T) {
	wiretest.RefusedCredentialsAreReplacedOnce(t, openVendedBucket)
}
