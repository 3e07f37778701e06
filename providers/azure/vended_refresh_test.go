package azure

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
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
		switch {
		case !vendor.Admits(r.URL.Query().Get("sig")), source != "" && !vendor.Admits(signatureOfSource(t, source)):
			w.Header().Set("X-Ms-Error-Code", "AuthenticationFailed")
			w.WriteHeader(http.StatusForbidden)
			return
		case source != "":
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
		Bucket: "photos", Endpoint: "http://store.invalid/acme", HTTPClient: client,
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

func TestCredentialsAreReplacedWithinACopyOfManyBlocks(t *testing.T) {
	for name, call := range map[string]func(context.Context, storage.Bucket) (*storage.Attrs, error){
		"copy": func(ctx context.Context, b storage.Bucket) (*storage.Attrs, error) {
			return storage.Copy(ctx, b, "to", b, "from")
		},
		"compose": func(ctx context.Context, b storage.Bucket) (*storage.Attrs, error) {
			return storage.Compose(ctx, b, "to", []string{"a", "b", "c"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				vendor, began := &wiretest.Vendor{}, time.Now()
				_, err := call(t.Context(), openVendedBucket(t, vendor, 25*time.Second))
				require.NoError(t, err)
				require.Greater(t, time.Since(began), time.Minute, "longer than the first signature")
				used, refused := vendor.Used()
				require.Equal(t, []string{"credentials-1", "credentials-2"}, used)
				require.Zero(t, refused)
			})
		})
	}
}

func TestRefusedCredentialsAreReplacedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := &wiretest.Vendor{Silent: true}
		b := openVendedBucket(t, vendor, 0)
		for range 3 {
			_, err := b.Upload(t.Context(), "a", strings.NewReader("hello"))
			require.NoError(t, err)
			time.Sleep(time.Hour)
		}
		used, refused := vendor.Used()
		require.Equal(t, []string{"credentials-1", "credentials-2", "credentials-3"}, used)
		require.Equal(t, 2, refused, "each is refused once, and then replaced")
	})
}
