package gcs_test

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/signingkey"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/gcs"
)

// config returns a Config that signs with the server's key.
func (s *signedServer) config(bucket string) gcs.Config {
	return gcs.Config{
		Bucket:      bucket,
		Endpoint:    s.URL,
		SigningKey:  signingkey.File(),
		TokenSource: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: signedServerToken}),
	}
}

// open opens a new bucket of the server.
func (s *signedServer) open(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	bucket, err := gcs.Open(t.Context(), s.config(s.rules.bucket(ruleBucket{})), opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })
	return bucket
}

// A signed URL with a customer's key works only for a client that sends the headers of the key.
func TestSignedURLWithCustomerKey(t *testing.T) {
	bucket := startSignedServer(t).open(t)
	key := gcs.WithCustomerKey(bytes.Repeat([]byte("k"), 32))

	// An upload stores an encrypted object.
	upload, err := bucket.SignedUploadURL(t.Context(), "a", key)
	require.NoError(t, err)
	require.Equal(t, 200, wiretest.Curl(t, upload, "text").Status)
	content, attrs, err := storage.ReadAll(t.Context(), bucket, "a", key)
	require.NoError(t, err)
	require.Equal(t, "text", string(content))
	require.NotEmpty(t, attrs.Encryption.KeyID)

	// A download needs the key.
	download, err := bucket.SignedDownloadURL(t.Context(), "a", key)
	require.NoError(t, err)
	require.Equal(t, "text", wiretest.Curl(t, download, "").Body)

	// The key is signed, so another key is refused.
	download.Header.Set("X-Goog-Encryption-Key", "AAAA")
	require.Equal(t, 403, wiretest.Curl(t, download, "").Status)

	// A URL that was signed without the key cannot read the object.
	withoutKey, err := bucket.SignedDownloadURL(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, 400, wiretest.Curl(t, withoutKey, "").Status)
}

// Signed uploads and downloads work with curl, even for keys that a shell might change.
func TestSignedURLsWorkFromCurl(t *testing.T) {
	bucket := startSignedServer(t).open(t)
	for _, key := range wiretest.CurlKeys {
		t.Run(fmt.Sprintf("%q", key), func(t *testing.T) {
			const disposition = `attachment;  filename="a  b"`
			signedURL, err := bucket.SignedUploadURL(t.Context(), key,
				storage.WithSize(4),
				storage.IfAbsent(),
				storage.WithContentType("text/x-test"),
				storage.WithContentDisposition(disposition),
				storage.WithMetadata(map[string]string{"k": "v"}))
			require.NoError(t, err)
			require.Equal(t, 200, wiretest.Curl(t, signedURL, "text").Status)

			// The URL creates the object only once, and only with the signed size.
			require.Equal(t, 412, wiretest.Curl(t, signedURL, "text").Status)
			require.Equal(t, 400, wiretest.Curl(t, signedURL, "longer").Status)

			attrs, err := bucket.Attrs(t.Context(), key)
			require.NoError(t, err)
			require.Equal(t, "text/x-test", attrs.ContentType)
			require.Equal(t, disposition, attrs.ContentDisposition)
			require.Equal(t, map[string]string{"k": "v"}, attrs.Metadata)

			signedURL, err = bucket.SignedDownloadURL(t.Context(), key, storage.WithDownloadName("a & b.txt"))
			require.NoError(t, err)
			require.Equal(t, 200, wiretest.Curl(t, signedURL, "").Status)
		})
	}
}

// A signed upload refuses a body with another checksum than the signed one.
func TestSignedUploadURLChecksum(t *testing.T) {
	bucket := startSignedServer(t).open(t)
	const sum = 0xE3069283 // of "123456789"
	signedURL, err := bucket.SignedUploadURL(t.Context(), "a", storage.WithCRC32C(sum))
	require.NoError(t, err)

	require.Equal(t, 400, wiretest.Curl(t, signedURL, "987654321").Status)
	require.Equal(t, 200, wiretest.Curl(t, signedURL, "123456789").Status)
}

// A signed download of a version reads that version.
func TestSignedURLReadsItsVersion(t *testing.T) {
	server := startSignedServer(t)
	bucket, err := gcs.Open(t.Context(), server.config(server.rules.bucket(ruleBucket{versioned: true})),
		storage.WithVersioning(true))
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(bucket))
	}()
	old, err := bucket.Upload(t.Context(), "a", strings.NewReader("old"))
	require.NoError(t, err)
	_, err = bucket.Upload(t.Context(), "a", strings.NewReader("new"))
	require.NoError(t, err)

	signedURL, err := bucket.SignedDownloadURL(t.Context(), "a", storage.WithVersion(old.Version))
	require.NoError(t, err)
	require.Equal(t, "old", wiretest.NetHTTP(t, signedURL, "").Body)
}

// Without a content type, SignedUploadURL signs only the host header.
func TestSignedUploadURLWithoutType(t *testing.T) {
	bucket := startSignedServer(t).open(t)
	signedURL, err := bucket.SignedUploadURL(t.Context(), "my-user-id")
	require.NoError(t, err)

	address, err := url.Parse(signedURL.URL)
	require.NoError(t, err)
	require.Equal(t, "host", address.Query().Get("X-Goog-SignedHeaders"))
	require.Empty(t, signedURL.Header)

	// Package net/http adds no content type, and curl adds one of its own.
	require.Equal(t, 200, wiretest.NetHTTP(t, signedURL, "text").Status)
	require.Equal(t, 200, wiretest.Curl(t, signedURL, "text").Status)
}
