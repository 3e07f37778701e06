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

// openVendedBucket opens a container of a blockCopyServer, with credentials of the vendor.
func openVendedBucket(t *testing.T, vendor *wiretest.Vendor, work time.Duration) storage.Bucket {
	server := &blockCopyServer{t: t, vendor: vendor, work: work}
	d, err := NewDriver(t.Context(), Config{
		Bucket:     "photos",
		Endpoint:   "http://store.invalid/acme",
		HTTPClient: wiretest.OnPipes(t, &http.Server{Handler: server}),
		CredentialsFor: func(context.Context, string) (PrefixCredentials, error) {
			secret, expires := vendor.Vend()
			return PrefixCredentials{SASToken: "?sv=2025-11-05&sig=" + secret, Expires: expires}, nil
		},
	})
	require.NoError(t, err)
	return engine.New(d)
}

// A blockCopyServer works for some time on each block that it copies. It refuses signatures that are not those of
// the vendor, or that have expired.
type blockCopyServer struct {
	t      *testing.T
	vendor *wiretest.Vendor
	work   time.Duration
}

func (s *blockCopyServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A broken body has no effect here.
	_, _ = io.Copy(io.Discard, r.Body)
	source := r.Header.Get("X-Ms-Copy-Source")
	header := w.Header()
	header.Set("X-Ms-Request-Id", "R1")
	if !s.admits(r, source) {
		header.Set("X-Ms-Error-Code", "AuthenticationFailed")
		w.WriteHeader(http.StatusForbidden)
		return
	}

	if source != "" {
		time.Sleep(s.work)
	}
	header.Set("Etag", etag)
	header.Set("Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
	if r.Method != http.MethodHead {
		w.WriteHeader(http.StatusCreated)
		return
	}
	header.Set("X-Ms-Blob-Type", "BlockBlob")
	header.Set("Content-Length", "2147483648") // 2 GiB, in 8 blocks
	if strings.HasSuffix(r.URL.Path, "/from") {
		header.Set("Content-Length", "6442450944") // 6 GiB, in 24 blocks
	}
}

// admits reports whether the signatures of r and of the source of a copy are valid.
func (s *blockCopyServer) admits(r *http.Request, source string) bool {
	if !s.vendor.Admits(r.URL.Query().Get("sig")) {
		return false
	}
	return source == "" || s.vendor.Admits(signatureOfSource(s.t, source))
}

// signatureOfSource returns the signature in the URL of a source.
func signatureOfSource(t *testing.T, source string) string {
	u, err := url.Parse(source)
	require.NoError(t, err)
	return u.Query().Get("sig")
}

// Credentials that expire during a copy of many blocks are replaced, and the copy continues.
func TestCredentialsReplacedWithinCopy(t *testing.T) {
	wiretest.CredentialsAreReplacedWithin(t, openVendedBucket, map[string]func(context.Context, storage.Bucket) error{
		"copy": func(ctx context.Context, bucket storage.Bucket) error {
			_, err := storage.Copy(ctx, bucket, "to", bucket, "from")
			return err
		},
		"compose": func(ctx context.Context, bucket storage.Bucket) error {
			_, err := storage.Compose(ctx, bucket, "to", []string{"a", "b", "c"})
			return err
		},
	})
}

// Refused credentials are replaced once.
func TestCredentialsRefusedReplacedOnce(t *testing.T) {
	wiretest.RefusedCredentialsAreReplacedOnce(t, openVendedBucket)
}
