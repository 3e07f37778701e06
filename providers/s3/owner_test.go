package s3_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// If the bucket has another owner than Config.ExpectedBucketOwner, uploads, reads, listings and signed URLs
// are refused.
func TestExpectedBucketOwnerChecked(t *testing.T) {
	server, err := s3server.Start(s3server.Config{
		Strict:     true,
		Buckets:    []string{"photos"},
		Middleware: wiretest.OneRequestAConnection,
	})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	profile, _ := s3.NamedProfile("aws")
	c := s3.Config{
		Bucket:              "photos",
		Endpoint:            server.URL,
		Region:              s3server.DefaultRegion,
		Profile:             &profile,
		AccessKeyID:         s3server.DefaultAccessKeyID,
		SecretKey:           s3server.DefaultSecretKey,
		ExpectedBucketOwner: s3server.DefaultAccountID,
	}

	// With the right owner, all requests succeed.
	b := openBucket(t, c)
	_, err = b.Upload(t.Context(), "k", strings.NewReader("x"))
	require.NoError(t, err)
	_, err = storage.Copy(t.Context(), b, "copy", b, "k")
	require.NoError(t, err)
	signedURL, err := b.SignedDownloadURL(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, "x", wiretest.NetHTTP(t, signedURL, "").Body)
	require.NoError(t, b.Remove(t.Context(), "copy"))

	// With another owner, all requests are refused. If the Config has no HTTP client, the raw
	// client sends them, and otherwise the SDK's client.
	for _, client := range []*http.Client{nil, withoutKeepAlive()} {
		c.ExpectedBucketOwner = "210987654321"
		c.HTTPClient = client
		b = openBucket(t, c)

		_, err = b.Upload(t.Context(), "k", strings.NewReader("x"))
		require.ErrorIs(t, err, storage.PermissionDenied)
		_, _, err = storage.ReadAll(t.Context(), b, "k")
		require.ErrorIs(t, err, storage.PermissionDenied)

		for _, err := range b.List(t.Context()) {
			require.ErrorIs(t, err, storage.PermissionDenied)
		}

		signedURL, err = b.SignedDownloadURL(t.Context(), "k")
		require.NoError(t, err)
		require.Equal(t, http.StatusForbidden, wiretest.NetHTTP(t, signedURL, "").Status)
	}
}

// Calls fail with PermissionDenied if the bucket has another owner than Config.ExpectedBucketOwner. On
// versitygw, an owner is an access key.
func TestExpectedBucketOwnerByVersitygw(t *testing.T) {
	s := needServer(t, "versitygw")
	c := s.config(t, s.bucket(t, false))

	// If the Config has no HTTP client, the raw client sends the requests, and otherwise the SDK's
	// client.
	for _, client := range []*http.Client{nil, withoutKeepAlive()} {
		c.HTTPClient = client

		// With the right owner, each call succeeds.
		c.ExpectedBucketOwner = s.key
		b := openBucket(t, c)
		_, err := b.Upload(t.Context(), "k", strings.NewReader("x"))
		require.NoError(t, err)
		_, err = storage.Copy(t.Context(), b, "copy", b, "k")
		require.NoError(t, err)
		_, err = b.Attrs(t.Context(), "k")
		require.NoError(t, err)

		// With another owner, each call is refused.
		c.ExpectedBucketOwner = "somebody"
		b = openBucket(t, c)
		_, err = b.Upload(t.Context(), "k", strings.NewReader("y"))
		require.ErrorIs(t, err, storage.PermissionDenied)
		_, _, err = storage.ReadAll(t.Context(), b, "k")
		require.ErrorIs(t, err, storage.PermissionDenied)
		require.ErrorIs(t, b.Remove(t.Context(), "k"), storage.PermissionDenied)
	}
}
