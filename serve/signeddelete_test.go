package serve_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
)

// A DELETE at a signed URL removes the object. Other methods, conditions and signatures are refused.
func TestSignedRemoveURL(t *testing.T) {
	s := newSite(t)
	sign := func(key string, opts ...storage.SignedRemoveOption) *storage.SignedURL {
		signedURL, err := storage.SignedRemoveURL(t.Context(), s.bucket, key, opts...)
		require.NoError(t, err)
		return signedURL
	}
	s.put("a", "x", storage.WithPublicRead())
	s.put("b", "y")
	signedURL := sign("a")
	expiring := sign("a", storage.WithTTL(time.Second))

	// The signature of a DELETE does not allow a read, even of a public object.
	for _, method := range []string{"GET", "HEAD"} {
		require.Equal(t, 403, s.request(method, signedURL.URL, nil).Code)
	}

	// A conditional removal is not possible.
	for _, name := range []string{"If-Match", "If-None-Match", "If-Unmodified-Since"} {
		s.requireRefusal(s.request("DELETE", signedURL.URL, nil, name, "x"), 501, "NotImplemented")
	}
	s.requireContent("a", "x")

	// The signature of another method is refused, and so is an empty signature.
	download, err := s.bucket.SignedDownloadURL(t.Context(), "a")
	require.NoError(t, err)
	s.requireRefusal(s.request("DELETE", download.URL, nil), 403, "SignatureDoesNotMatch")
	s.requireRefusal(s.request("DELETE", s.publicURL("a")+"?ob-signature=", nil), 403, "SignatureDoesNotMatch")
	s.requireContent("a", "x")

	// Without a signature, neither a public object nor the bucket can be removed.
	s.requireRefusal(s.request("DELETE", s.publicURL("a"), nil), 403, "SignatureDoesNotMatch")
	s.requireRefusal(s.request("DELETE", siteBase+"/", nil), 403, "AccessDenied")
	s.requireContent("a", "x")

	// The object is removed. A second request succeeds, too, although there is nothing to remove.
	for range 2 {
		require.Equal(t, 204, s.request("DELETE", signedURL.URL, nil).Code)
	}

	// When the URL has expired, it cannot remove a new object with this key.
	s.put("a", "again")
	s.now = s.now.Add(time.Minute)
	s.requireRefusal(s.request("DELETE", expiring.URL, nil), 403, "RequestExpired")
	s.requireContent("a", "again")
	s.requireContent("b", "y")
}

// If a URL was signed with WithStableFor, its response may be cached privately for the given time.
func TestSignedURLStableIsPrivatelyCached(t *testing.T) {
	s := newSite(t)
	s.put("a", "x", storage.WithCacheControl("public, max-age=9"))
	signedURL, err := s.bucket.SignedDownloadURL(t.Context(), "a", storage.WithStableFor(time.Hour))
	require.NoError(t, err)

	w := s.request("GET", signedURL.URL, nil)
	require.Equal(t, 200, w.Code)
	require.Equal(t, "private, max-age=3600", w.Header().Get("Cache-Control"))
	require.Equal(t, "private, max-age=3600", s.request("HEAD", signedURL.URL, nil).Header().Get("Cache-Control"))
	require.Equal(t, 304, s.request("GET", signedURL.URL, nil, "If-None-Match", w.Header().Get("ETag")).Code)
}

// With WithStableFor, two processes that share a signing key make the same URL for an hour. So
// caches recognize the URL.
func TestSignedURLStableInTwoProcesses(t *testing.T) {
	startOfHour := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	signInNewProcess := func(at time.Time) *storage.SignedURL {
		d := memstore.NewDriver(memstore.Config{
			Now:         func() time.Time { return at },
			SigningKeys: memstore.SigningKeys{[]byte("a secret of at least thirty-two bytes")},
		})
		b := engine.New(d, storage.WithSigningBaseURL("https://files.example.com"))
		signedURL, err := b.SignedDownloadURL(
			t.Context(),
			"a",
			storage.WithStableFor(time.Hour),
			storage.WithTTL(time.Minute),
		)
		require.NoError(t, err)
		return signedURL
	}

	// A URL lasts until the hour ends, and then for its TTL.
	first := signInNewProcess(startOfHour)
	require.Equal(t, startOfHour.Add(time.Hour+time.Minute), first.ExpiresAt)

	// The URL is the same until the last moment of the hour, and another one in the next hour.
	require.Equal(t, first, signInNewProcess(startOfHour.Add(time.Hour-1)))
	require.NotEqual(t, first.URL, signInNewProcess(startOfHour.Add(time.Hour)).URL)
}
