package azure

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// newSigningService opens the account of the emulator that "make test-all" has started
// (see testservers).
func newSigningService(t *testing.T) storage.Service {
	t.Helper()
	endpoint := testserver.Need(t, "OMNIBUCKET_TEST_AZURITE")
	s, err := NewService(t.Context(), Config{Endpoint: endpoint})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

var signingBuckets atomic.Int64

func nextBucket() string { return fmt.Sprintf("account-%d-%d", os.Getpid(), signingBuckets.Add(1)) }

// createBucket creates a container, and removes it after the test if it still
// exists.
func createBucket(t *testing.T, s storage.Service, name string, opts ...storage.BucketOption) string {
	t.Helper()
	_, err := s.CreateBucket(t.Context(), name, opts...)
	require.NoError(t, err)
	d := newSigningDriver(t, name)
	t.Cleanup(func() {
		_, err := d.container.client.Delete(context.WithoutCancel(t.Context()), nil)
		if !isCode(reads(err), "ContainerNotFound") {
			require.NoError(t, err)
		}
	})
	return name
}

func newSigningDriver(t *testing.T, name string) *objectDriver {
	t.Helper()
	d, err := NewDriver(t.Context(), Config{Bucket: name, Endpoint: testserver.Need(t, "OMNIBUCKET_TEST_AZURITE")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d.(*objectDriver)
}

// newSigningBucket returns an empty container and its driver.
func newSigningBucket(t *testing.T) (storage.Bucket, *objectDriver) {
	t.Helper()
	s := newSigningService(t)
	name := createBucket(t, s, nextBucket())
	b, err := s.Bucket(name)
	require.NoError(t, err)
	return b, newSigningDriver(t, name)
}

func TestSignedURLsWork(t *testing.T) {
	for name, ask := range wiretest.Clients {
		t.Run(name, func(t *testing.T) {
			b, _ := newSigningBucket(t)
			for _, key := range signedKeys {
				signedURL, err := b.SignedUploadURL(t.Context(), key, storage.WithContentType("text/x-test"), storage.WithCacheControl("no-store"),
					storage.WithContentLanguage("de"), storage.WithMetadata(map[string]string{"k-1": "café"}))
				require.NoError(t, err)

				require.Equal(t, http.StatusCreated, ask(t, signedURL, "other text").Status, "%q", key)
				require.Equal(t, http.StatusCreated, ask(t, signedURL, "text").Status, "it overwrites")
				attrs, err := b.Attrs(t.Context(), key)
				require.NoError(t, err)
				require.Equal(t, "text/x-test", attrs.ContentType)
				require.Equal(t, "no-store", attrs.CacheControl)
				require.Equal(t, "de", attrs.ContentLanguage)
				require.Equal(t, map[string]string{"k-1": "café"}, attrs.Metadata)

				signedURL, err = b.SignedDownloadURL(t.Context(), key)
				require.NoError(t, err)
				got := ask(t, signedURL, "")
				require.Equal(t, http.StatusOK, got.Status, "%q", key)
				require.Equal(t, "text", got.Body)
			}
		})
	}
}

// A signed upload with IfAbsent creates once.
func TestSignedUploadURLIfAbsent(t *testing.T) {
	for name, ask := range wiretest.Clients {
		t.Run(name, func(t *testing.T) {
			b, _ := newSigningBucket(t)
			signedURL, err := b.SignedUploadURL(t.Context(), "a", storage.IfAbsent())
			require.NoError(t, err)

			require.Equal(t, http.StatusCreated, ask(t, signedURL, "first").Status)
			// Azure's code is UnauthorizedBlobOverwrite, the emulator's AuthorizationPermissionMismatch.
			require.Equal(t, http.StatusForbidden, ask(t, signedURL, "second").Status)

			signedURL, err = b.SignedDownloadURL(t.Context(), "a")
			require.NoError(t, err)
			require.Equal(t, "first", ask(t, signedURL, "").Body)
		})
	}
}

// A signed download has the requested headers.
func TestSignedDownloadURLHeaders(t *testing.T) {
	b, _ := newSigningBucket(t)
	upload, err := b.SignedUploadURL(t.Context(), "a", storage.WithContentType("text/plain"))
	require.NoError(t, err)

	require.Equal(t, http.StatusCreated, wiretest.NetHTTP(t, upload, "text").Status)
	signedURL, err := b.SignedDownloadURL(t.Context(), "a", storage.WithResponseContentType("image/png"), storage.WithDownloadName("a b+é.png"))
	require.NoError(t, err)
	got := wiretest.NetHTTP(t, signedURL, "")
	require.Equal(t, http.StatusOK, got.Status)
	require.Equal(t, "image/png", got.Header.Get("Content-Type"))
	require.Equal(t, `attachment; filename="a b+_.png"; filename*=UTF-8''a%20b%2B%C3%A9.png`, got.Header.Get("Content-Disposition"))
}

// A signed URL permits nothing else.
func TestSignedURLPermitsNothingElse(t *testing.T) {
	b, d := newSigningBucket(t)
	for _, key := range []string{"a", "b"} {
		signedURL, err := b.SignedUploadURL(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, http.StatusCreated, wiretest.NetHTTP(t, signedURL, "text").Status)
	}

	altered := func(old, new string) func(*storage.SignedURL) {
		return func(s *storage.SignedURL) {
			require.Contains(t, s.URL, old)
			s.URL = strings.Replace(s.URL, old, new, 1)
		}
	}
	method := func(m string) func(*storage.SignedURL) {
		return func(s *storage.SignedURL) {
			s.Method = m
		}
	}
	up := wiretest.SignedUpload(nil)
	down := download(func(r *driver.SignRequest) {
		r.ResponseType = "image/png"
	})
	tests := map[string]struct {
		ask    *driver.SignRequest
		ago    time.Duration
		change func(*storage.SignedURL)
	}{
		"a download after its end":          {ask: down, ago: 2 * time.Hour},
		"an upload after its end":           {ask: up, ago: 2 * time.Hour},
		"a later end":                       {ask: down, change: altered("&se=20", "&se=21")},
		"another key":                       {ask: down, change: altered("/a?", "/b?")},
		"another signature":                 {ask: down, change: altered("&sig=", "&sig=A")},
		"no signature":                      {ask: down, change: altered("&sig=", "&gis=")},
		"another permission":                {ask: down, change: altered("&sp=r", "&sp=rw")},
		"another response":                  {ask: down, change: altered("image%2Fpng", "text%2Fhtml")},
		"an upload by a download's address": {ask: down, change: method(http.MethodPut)},
		"a removal by a download's address": {ask: down, change: method(http.MethodDelete)},
		"a download by an upload's address": {ask: up, change: method(http.MethodGet)},
		"a removal by an upload's address":  {ask: up, change: method(http.MethodDelete)},
		"an upload of another key":          {ask: up, change: altered("/a?", "/b?")},
		"an overwrite by one that may create": {ask: wiretest.SignedUpload(func(r *driver.SignRequest) {
			r.Condition.Absent = true
		})},
		"and more than create, if altered": {
			ask: wiretest.SignedUpload(func(r *driver.SignRequest) {
				r.Condition.Absent = true
			}),
			change: altered("&sp=c", "&sp=cw"),
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			signedURL, err := d.sign(t.Context(), tt.ask, time.Now().Add(-tt.ago))
			require.NoError(t, err)
			if tt.change != nil {
				tt.change(signedURL)
			}
			if signedURL.Method == http.MethodPut && signedURL.Header.Get("X-Ms-Blob-Type") == "" {
				signedURL.Header.Set("X-Ms-Blob-Type", "BlockBlob")
			}

			require.Equal(t, http.StatusForbidden, wiretest.NetHTTP(t, signedURL, "altered").Status)
			for _, key := range []string{"a", "b"} {
				intact, err := d.sign(t.Context(), download(func(r *driver.SignRequest) {
					r.Key = key
				}), time.Now())
				require.NoError(t, err)
				require.Equal(t, "text", wiretest.NetHTTP(t, intact, "").Body)
			}
		})
	}
}
