package s3_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// Signed uploads and downloads work with curl for each kind of key, and the server enforces IfAbsent and the size.
func TestSignedURLsWorkFromCurl(t *testing.T) {
	for _, name := range serverNames {
		t.Run(name, func(t *testing.T) {
			s := needServer(t, name)
			b := s.open(t, s.bucket(t, false))
			for _, key := range wiretest.CurlKeys {
				signedURL, err := b.SignedUploadURL(t.Context(), key,
					storage.WithSize(int64(len("text"))),
					storage.IfAbsent(),
					storage.WithContentType("text/x-test"),
					storage.WithCacheControl("no-store"),
					storage.WithMetadata(map[string]string{"k": "caf\u00e9"}),
				)
				require.NoError(t, err)

				require.Equal(t, 200, wiretest.Curl(t, signedURL, "text").Status, "%q", key)
				second := wiretest.Curl(t, signedURL, "text")
				require.NotEqual(t, 200, second.Status, "a second upload must fail because of IfAbsent")
				require.NotEqual(t, 200, wiretest.Curl(t, signedURL, "longer").Status)

				attrs, err := b.Attrs(t.Context(), key)
				require.NoError(t, err)
				require.Equal(t, "text/x-test", attrs.ContentType)
				require.Equal(t, "no-store", attrs.CacheControl)
				require.Equal(t, map[string]string{"k": "caf\u00e9"}, attrs.Metadata)

				signedURL, err = b.SignedDownloadURL(t.Context(), key)
				require.NoError(t, err)
				got := wiretest.Curl(t, signedURL, "")
				require.Equal(t, 200, got.Status, "%q", key)
				require.Equal(t, "text", got.Body)
			}
		})
	}
}

// A URL that is signed for an upload of size 0 refuses any other body.
func TestSignedUploadURLEmptyBody(t *testing.T) {
	for _, name := range serverNames {
		t.Run(name, func(t *testing.T) {
			s := needServer(t, name)
			b := s.open(t, s.bucket(t, false))
			signedURL, err := b.SignedUploadURL(t.Context(), "a", storage.WithSize(0))
			require.NoError(t, err)

			require.GreaterOrEqual(t, wiretest.NetHTTP(t, signedURL, "x").Status, 400)
			_, err = b.Attrs(t.Context(), "a")
			require.ErrorIs(t, err, storage.ObjectNotFound)
			require.Equal(t, http.StatusOK, wiretest.NetHTTP(t, signedURL, "").Status)
		})
	}
}

// The server refuses a body that does not have the signed CRC32C.
func TestSignedUploadURLChecksum(t *testing.T) {
	for _, name := range serverNames {
		t.Run(name, func(t *testing.T) {
			s := needServer(t, name)
			b := s.open(t, s.bucket(t, false))
			const content = "123456789"
			const crc = 0xE3069283 // of the content
			signedURL, err := b.SignedUploadURL(t.Context(), "a", storage.WithCRC32C(crc))
			require.NoError(t, err)

			// Only the content with this checksum is accepted.
			require.GreaterOrEqual(t, wiretest.NetHTTP(t, signedURL, "987654321").Status, 400)
			require.Equal(t, http.StatusOK, wiretest.NetHTTP(t, signedURL, content).Status)

			attrs, err := b.Attrs(t.Context(), "a")
			require.NoError(t, err)
			require.True(t, attrs.CRC32C.Known)
			require.Equal(t, uint32(crc), attrs.CRC32C.Sum)
		})
	}
}

// Without a content type, SignedUploadURL signs only the header Host. So a client can send any
// content type or none.
func TestSignedUploadURLWithoutType(t *testing.T) {
	s, err := s3server.Start(s3server.Config{Strict: true, Buckets: []string{"photos"}})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	profile, ok := s3.NamedProfile("aws")
	require.True(t, ok)
	b, err := s3.Open(t.Context(), s3.Config{
		Bucket:      "photos",
		Endpoint:    s.URL,
		Region:      s3server.DefaultRegion,
		Profile:     &profile,
		PathStyle:   new(true),
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })

	signedURL, err := b.SignedUploadURL(t.Context(), "my-user-id")
	require.NoError(t, err)
	address, err := url.Parse(signedURL.URL)
	require.NoError(t, err)
	require.Equal(t, "host", address.Query().Get("X-Amz-SignedHeaders"))
	require.Empty(t, signedURL.Header)

	// Both clients can upload.
	require.Equal(t, 200, wiretest.NetHTTP(t, signedURL, "text").Status, "net/http adds no content type")
	require.Equal(t, 200, wiretest.Curl(t, signedURL, "text").Status, "curl adds a content type")
}
