package s3_test

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// A stranger sends a signed request without the driver.
type stranger struct {
	client *http.Client
}

// do sends the request of a signed URL, after change has changed it, and returns the status and the body of
// the response.
func (s stranger) do(t *testing.T, signedURL *storage.SignedURL, body string, change func(r *http.Request)) (int, string) {
	t.Helper()
	r, err := signedURL.Request(t.Context(), strings.NewReader(body))
	require.NoError(t, err)
	if signedURL.Method == http.MethodGet {
		r.Body = nil
		r.ContentLength = 0
	}
	if change != nil {
		change(r)
	}
	response, err := s.client.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

// newAmazonBucket opens the bucket "photos" at a server with Amazon's rules. It also returns a client
// without credentials.
func newAmazonBucket(t *testing.T, c s3server.Config) (storage.Bucket, stranger) {
	t.Helper()
	c.Buckets = []string{"photos"}
	_, config := startAmazon(t, c)
	config.Bucket = "photos"
	b, err := s3.Open(t.Context(), config)
	require.NoError(t, err)
	return b, stranger{config.HTTPClient}
}

// Signed URLs work for a set of keys that no file system can hold at the same time. This test uses
// s3server, because the real servers store objects in file systems.
func TestSignedURLsOfKeysThatFileSystemsCannotHold(t *testing.T) {
	b, client := newAmazonBucket(t, s3server.Config{Strict: true})
	keys := append(slices.Clone(wiretest.CurlKeys), "a", "a/b", "A", strings.Repeat("s", 300),
		strings.Repeat("k", 1024))
	for _, key := range keys {
		signedURL, err := b.SignedUploadURL(t.Context(), key, storage.IfAbsent())
		require.NoError(t, err)
		code, text := client.do(t, signedURL, "text of "+key, nil)
		require.Equal(t, http.StatusOK, code, "%q: %s", key, text)
	}
	for _, key := range keys {
		signedURL, err := b.SignedDownloadURL(t.Context(), key)
		require.NoError(t, err)
		code, text := client.do(t, signedURL, "", nil)
		require.Equal(t, http.StatusOK, code, "%q", key)
		require.Equal(t, "text of "+key, text)
	}
}

// Changes to a signed URL are refused.
func TestSignedURLChangesRefused(t *testing.T) {
	b, client := newAmazonBucket(t, s3server.Config{Strict: true})
	signedURL, err := b.SignedUploadURL(t.Context(), "a", storage.WithContentType("image/png"),
		storage.WithSize(4), storage.WithMetadata(map[string]string{"k": "v"}))
	require.NoError(t, err)

	tests := map[string]struct {
		body   string
		change func(r *http.Request)
	}{
		"a longer body": {
			body: "longer",
		},
		"a body without a length": {
			body: "text",
			change: func(r *http.Request) {
				r.ContentLength = -1
			},
		},
		"another type": {
			body: "text",
			change: func(r *http.Request) {
				r.Header.Set("Content-Type", "text/html")
			},
		},
		"no type": {
			body: "text",
			change: func(r *http.Request) {
				r.Header.Del("Content-Type")
			},
		},
		"other metadata": {
			body: "text",
			change: func(r *http.Request) {
				r.Header.Set("X-Amz-Meta-K", "w")
			},
		},
		"more metadata": {
			body: "text",
			change: func(r *http.Request) {
				r.Header.Set("X-Amz-Meta-More", "w")
			},
		},
		"another method": {
			body: "text",
			change: func(r *http.Request) {
				r.Method = http.MethodDelete
			},
		},
		"another key": {
			body: "text",
			change: func(r *http.Request) {
				r.URL.Path = strings.TrimSuffix(r.URL.Path, "a") + "b"
			},
		},
		"another version": {
			body: "text",
			change: func(r *http.Request) {
				r.URL.RawQuery += "&versionId=1"
			},
		},
		"a longer life": {
			body: "text",
			change: func(r *http.Request) {
				r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "X-Amz-Expires=3", "X-Amz-Expires=5", 1)
			},
		},
		"the signature of another day": {
			body: "text",
			change: func(r *http.Request) {
				setQuery(r, "X-Amz-Date", "20200101T000000Z")
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, text := client.do(t, signedURL, tt.body, tt.change)
			require.GreaterOrEqual(t, code, 400, text)
			for entry, err := range b.List(t.Context()) {
				require.NoError(t, err)
				t.Error("stored:", entry.Key)
			}
		})
	}

	// Without a change, the upload succeeds.
	code, text := client.do(t, signedURL, "text", nil)
	require.Equal(t, http.StatusOK, code, text)
}

func setQuery(r *http.Request, name, value string) {
	query := r.URL.Query()
	query.Set(name, value)
	r.URL.RawQuery = strings.ReplaceAll(url.Values(query).Encode(), "+", "%20")
}

// A signed URL is accepted until shortly before it expires, and refused shortly after that.
func TestSignedURLExpiresAtServer(t *testing.T) {
	var ahead atomic.Int64 // how far the server's clock is ahead, in nanoseconds
	b, client := newAmazonBucket(t, s3server.Config{
		Strict: true,
		Now:    func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
	})
	for name, sign := range map[string]func() (*storage.SignedURL, error){
		"upload": func() (*storage.SignedURL, error) {
			return b.SignedUploadURL(t.Context(), "a", storage.WithTTL(time.Hour))
		},
		"download": func() (*storage.SignedURL, error) {
			return b.SignedDownloadURL(t.Context(), "a", storage.WithTTL(time.Hour))
		},
		"upload within a week": func() (*storage.SignedURL, error) {
			return b.SignedUploadURL(t.Context(), "a", storage.WithTTL(7*24*time.Hour))
		},
	} {
		t.Run(name, func(t *testing.T) {
			ahead.Store(0)
			_, err := b.Upload(t.Context(), "a", strings.NewReader("x"))
			require.NoError(t, err)
			signedURL, err := sign()
			require.NoError(t, err)

			// Two seconds before the end, the URL is accepted.
			ahead.Store(int64(time.Until(signedURL.ExpiresAt) - 2*time.Second))
			code, text := client.do(t, signedURL, "x", nil)
			require.Equal(t, http.StatusOK, code, text)

			// Two seconds after its expiry, the URL is refused.
			ahead.Store(int64(time.Until(signedURL.ExpiresAt) + 2*time.Second))
			code, _ = client.do(t, signedURL, "x", nil)
			require.GreaterOrEqual(t, code, 400)
		})
	}
}

// A signed download of an old version returns that version instead of the newest one.
func TestSignedURLOfVersion(t *testing.T) {
	_, config := startAmazon(t, s3server.Config{Strict: true})
	service, err := s3.NewService(t.Context(), config)
	require.NoError(t, err)
	_, err = service.CreateBucket(t.Context(), "photos", storage.WithVersioning(true))
	require.NoError(t, err)
	b, err := service.Bucket("photos", storage.WithVersioning(true))
	require.NoError(t, err)

	old, err := b.Upload(t.Context(), "a", strings.NewReader("old"))
	require.NoError(t, err)
	_, err = b.Upload(t.Context(), "a", strings.NewReader("new"))
	require.NoError(t, err)

	// The version is one of several signed parameters.
	signedURL, err := b.SignedDownloadURL(t.Context(), "a",
		storage.WithVersion(old.Version),
		storage.WithDownloadName("caf\u00e9 1.txt"),
		storage.WithResponseContentType("text/x-old"))
	require.NoError(t, err)

	status, content := stranger{config.HTTPClient}.do(t, signedURL, "", nil)
	require.Equal(t, http.StatusOK, status, content)
	require.Equal(t, "old", content)
}
