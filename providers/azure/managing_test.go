package azure

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/storagetest"
)

// The service passes the conformance suite of services on Azurite.
func TestService(t *testing.T) {
	storagetest.RunService(t, newSigningService, storagetest.WithName("azure (Azurite)"))
}

// A container can be created once, made public and private, and removed when it is empty.
func TestBucketLifeCycle(t *testing.T) {
	s := newSigningService(t)
	ctx := t.Context()
	name := nextBucket()
	getStatus := func(address string) int {
		signedURL := &storage.SignedURL{Method: http.MethodGet, URL: address}
		return wiretest.NetHTTP(t, signedURL, "").Status
	}

	// A container is created once, is listed, and can be removed.
	require.NoError(t, s.DeleteBucket(ctx, createBucket(t, s, nextBucket(), storage.WithPublicAccess(true))))
	createBucket(t, s, name, storage.WithPublicAccess(true))
	_, err := s.CreateBucket(ctx, name)
	require.ErrorIs(t, err, storage.BucketExists)
	info, err := s.BucketInfo(ctx, name)
	require.NoError(t, err)
	require.True(t, info.Public)
	isListed := false
	for info, err := range s.Buckets(ctx) {
		require.NoError(t, err)
		isListed = isListed || info.Name == name && info.Public
	}
	require.True(t, isListed)

	// Everyone can read an object in the container until the container is no longer public.
	bucket, err := s.Bucket(name)
	require.NoError(t, err)
	_, err = bucket.Upload(ctx, "a", strings.NewReader("text"))
	require.NoError(t, err)
	public, err := s.Bucket(name, storage.WithPublicAccess(true))
	require.NoError(t, err)
	address, err := public.PublicURL("a")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, getStatus(address))

	// Without public access, the same address is refused.
	info, err = s.UpdateBucket(ctx, name, storage.WithPublicAccess(false))
	require.NoError(t, err)
	require.False(t, info.Public)
	require.NotEqual(t, http.StatusOK, getStatus(address))

	// A container can be removed when it is empty. After that, all calls fail.
	require.ErrorIs(t, s.DeleteBucket(ctx, name), storage.BucketNotEmpty)
	require.NoError(t, bucket.Remove(ctx, "a"))
	require.NoError(t, s.DeleteBucket(ctx, name))
	require.ErrorIs(t, s.DeleteBucket(ctx, name), storage.BucketNotFound)
	_, err = s.BucketInfo(ctx, name)
	require.ErrorIs(t, err, storage.BucketNotFound)
	_, err = s.UpdateBucket(ctx, name, storage.WithPublicAccess(true))
	require.ErrorIs(t, err, storage.BucketNotFound)
}

// WithCORS lets browsers of an origin use a signed upload in all containers of the account.
func TestWithCORSBrowserUpload(t *testing.T) {
	s := newSigningService(t)
	name := createBucket(t, s, nextBucket())
	info, err := s.UpdateBucket(t.Context(), name, storage.WithCORS(storage.CORSRule{
		Origins:        []string{"https://app.example"},
		Methods:        []string{http.MethodPut},
		AllowedHeaders: []string{"x-ms-*", "content-type"},
	}))
	require.NoError(t, err)
	require.Len(t, info.CORS, 1)
	require.Equal(t, []string{"x-ms-*", "content-type"}, info.CORS[0].AllowedHeaders)

	// The upload that a browser will send has these headers.
	bucket, err := s.Bucket(name)
	require.NoError(t, err)
	signedURL, err := bucket.SignedUploadURL(t.Context(), "a",
		storage.WithMetadata(map[string]string{"k-1": "v"}))
	require.NoError(t, err)
	var headers []string
	for header := range signedURL.Header {
		headers = append(headers, strings.ToLower(header))
	}

	// preflight returns the answer to a browser that asks whether a page of the given origin may
	// send the upload.
	preflight := func(origin string) int {
		request := &storage.SignedURL{
			Method: http.MethodOptions,
			URL:    signedURL.URL,
			Header: http.Header{
				"Origin":                         {origin},
				"Access-Control-Request-Method":  {http.MethodPut},
				"Access-Control-Request-Headers": {strings.Join(headers, ",")},
			},
		}
		return wiretest.NetHTTP(t, request, "").Status
	}
	require.Equal(t, http.StatusOK, preflight("https://app.example"))
	require.Equal(t, http.StatusForbidden, preflight("https://other.example"))

	// The rules belong to the account, so another container has them, too.
	otherName := createBucket(t, s, nextBucket())
	info, err = s.BucketInfo(t.Context(), otherName)
	require.NoError(t, err)
	require.Len(t, info.CORS, 1)

	// Removing the rules ends the permission for both containers.
	info, err = s.UpdateBucket(t.Context(), otherName, storage.WithCORS())
	require.NoError(t, err)
	require.Empty(t, info.CORS)
	require.Equal(t, http.StatusForbidden, preflight("https://app.example"))
}
