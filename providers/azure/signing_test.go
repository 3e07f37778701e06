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

// signingBuckets makes the names of containers unique.
var signingBuckets atomic.Int64

// nextBucket returns a name that no other test has.
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
		if !isCode(translateRead(err), "ContainerNotFound") {
			require.NoError(t, err)
		}
	})
	return name
}

// newSigningDriver opens a container of the emulator through the driver.
func newSigningDriver(t *testing.T, name string) *objectDriver {
	t.Helper()
	d, err := NewDriver(t.Context(), Config{
		Bucket:   name,
		Endpoint: testserver.Need(t, "OMNIBUCKET_TEST_AZURITE"),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d.(*objectDriver)
}

// newSigningBucket returns an empty container and its driver.
func newSigningBucket(t *testing.T) (storage.Bucket, *objectDriver) {
	t.Helper()
	s := newSigningService(t)
	name := createBucket(t, s, nextBucket())
	bucket, err := s.Bucket(name)
	require.NoError(t, err)
	return bucket, newSigningDriver(t, name)
}

// Signed uploads and downloads work on Azurite with net/http and with curl, for every kind of key.
func TestSignedURLsWork(t *testing.T) {
	for name, send := range wiretest.Clients {
		t.Run(name, func(t *testing.T) {
			bucket, _ := newSigningBucket(t)
			for _, key := range signedKeys {
				signedURL, err := bucket.SignedUploadURL(t.Context(), key,
					storage.WithContentType("text/x-test"),
					storage.WithCacheControl("no-store"),
					storage.WithContentLanguage("de"),
					storage.WithMetadata(map[string]string{"k-1": "café"}),
				)
				require.NoError(t, err)
				require.Equal(t, http.StatusCreated, send(t, signedURL, "other text").Status, "%q", key)
				require.Equal(t, http.StatusCreated, send(t, signedURL, "text").Status, "the URL must permit to overwrite")

				attrs, err := bucket.Attrs(t.Context(), key)
				require.NoError(t, err)
				require.Equal(t, "text/x-test", attrs.ContentType)
				require.Equal(t, "no-store", attrs.CacheControl)
				require.Equal(t, "de", attrs.ContentLanguage)
				require.Equal(t, map[string]string{"k-1": "café"}, attrs.Metadata)

				signedURL, err = bucket.SignedDownloadURL(t.Context(), key)
				require.NoError(t, err)
				got := send(t, signedURL, "")
				require.Equal(t, http.StatusOK, got.Status, "%q", key)
				require.Equal(t, "text", got.Body)
			}
		})
	}
}

// A signed upload with IfAbsent creates an object once, and does not overwrite it.
func TestSignedUploadURLIfAbsent(t *testing.T) {
	for name, send := range wiretest.Clients {
		t.Run(name, func(t *testing.T) {
			bucket, _ := newSigningBucket(t)
			signedURL, err := bucket.SignedUploadURL(t.Context(), "a", storage.IfAbsent())
			require.NoError(t, err)

			require.Equal(t, http.StatusCreated, send(t, signedURL, "first").Status)
			// The error code is UnauthorizedBlobOverwrite on Azure, and
			// AuthorizationPermissionMismatch on the emulator.
			require.Equal(t, http.StatusForbidden, send(t, signedURL, "second").Status)

			signedURL, err = bucket.SignedDownloadURL(t.Context(), "a")
			require.NoError(t, err)
			require.Equal(t, "first", send(t, signedURL, "").Body)
		})
	}
}

// The response to a signed download has the requested headers.
func TestSignedDownloadURLHeaders(t *testing.T) {
	bucket, _ := newSigningBucket(t)
	upload, err := bucket.SignedUploadURL(t.Context(), "a", storage.WithContentType("text/plain"))
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, wiretest.NetHTTP(t, upload, "text").Status)

	signedURL, err := bucket.SignedDownloadURL(t.Context(), "a",
		storage.WithResponseContentType("image/png"),
		storage.WithDownloadName("a b+é.png"))
	require.NoError(t, err)
	got := wiretest.NetHTTP(t, signedURL, "")
	require.Equal(t, http.StatusOK, got.Status)
	require.Equal(t, "image/png", got.Header.Get("Content-Type"))
	require.Equal(t, `attachment; filename="a b+_.png"; filename*=UTF-8''a%20b%2B%C3%A9.png`,
		got.Header.Get("Content-Disposition"))
}

// A signed URL is refused if it has expired or was altered, or if the request has another method.
// No object changes.
func TestSignedURLPermitsNothingElse(t *testing.T) {
	bucket, d := newSigningBucket(t)
	for _, key := range []string{"a", "b"} {
		signedURL, err := bucket.SignedUploadURL(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, http.StatusCreated, wiretest.NetHTTP(t, signedURL, "text").Status)
	}

	upload := wiretest.SignedUpload(nil)
	create := wiretest.SignedUpload(func(r *driver.SignRequest) {
		r.Condition.Absent = true
	})
	download := signedDownload(func(r *driver.SignRequest) {
		r.ResponseType = "image/png"
	})
	tests := []struct {
		name    string
		request *driver.SignRequest
		age     time.Duration // of the signature, which is valid for an hour
		method  string        // "" means the signed one
		old     string        // a text of the URL
		new     string        // what replaces it
	}{
		{name: "download after its end", request: download, age: 2 * time.Hour},
		{name: "upload after its end", request: upload, age: 2 * time.Hour},
		{name: "download, end changed", request: download, old: "&se=20", new: "&se=21"},
		{name: "download, key changed", request: download, old: "/a?", new: "/b?"},
		{name: "download, signature changed", request: download, old: "&sig=", new: "&sig=A"},
		{name: "download, signature removed", request: download, old: "&sig=", new: "&gis="},
		{name: "download, permission changed", request: download, old: "&sp=r", new: "&sp=rw"},
		{name: "download, response type changed", request: download, old: "image%2Fpng", new: "text%2Fhtml"},
		{name: "download, used to upload", request: download, method: http.MethodPut},
		{name: "download, used to remove", request: download, method: http.MethodDelete},
		{name: "upload, used to download", request: upload, method: http.MethodGet},
		{name: "upload, used to remove", request: upload, method: http.MethodDelete},
		{name: "upload, key changed", request: upload, old: "/a?", new: "/b?"},
		{name: "create, used to overwrite", request: create},
		{name: "create, permission changed", request: create, old: "&sp=c", new: "&sp=cw"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Sign the request, and alter the URL.
			signedURL, err := d.sign(t.Context(), tt.request, time.Now().Add(-tt.age))
			require.NoError(t, err)
			if tt.method != "" {
				signedURL.Method = tt.method
			}
			require.Contains(t, signedURL.URL, tt.old)
			signedURL.URL = strings.Replace(signedURL.URL, tt.old, tt.new, 1)

			if signedURL.Method == http.MethodPut {
				signedURL.Header.Set("X-Ms-Blob-Type", "BlockBlob") // which each upload needs
			}
			require.Equal(t, http.StatusForbidden, wiretest.NetHTTP(t, signedURL, "altered").Status)

			// Both objects are unchanged.
			for _, key := range []string{"a", "b"} {
				download := signedDownload(func(r *driver.SignRequest) {
					r.Key = key
				})
				intact, err := d.sign(t.Context(), download, time.Now())
				require.NoError(t, err)
				require.Equal(t, "text", wiretest.NetHTTP(t, intact, "").Body)
			}
		})
	}
}
