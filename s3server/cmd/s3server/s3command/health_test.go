package s3command

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// The paths for the health respond without a signature, to GET and HEAD without a query only.
func TestHealthNeedsNoSignature(t *testing.T) {
	server := start(t, environment())
	for path := range healthPaths {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			status, _ := ask(t, method, server.url+path)
			require.Equal(t, http.StatusOK, status, path)
		}
		status, _ := ask(t, http.MethodPut, server.url+path)
		require.NotEqual(t, http.StatusOK, status, path)
		status, _ = ask(t, http.MethodGet, server.url+path+"?list-type=2")
		require.NotEqual(t, http.StatusOK, status, path)
	}
}

// A bucket whose name is that of a health check can still be used.
func TestHealthIsBucketName(t *testing.T) {
	server := start(t, environment(), "--create", "healthz", "--create", "minio")
	server.export()
	c := client(t)
	put(t, c, "minio", "health/live", "an object")
	require.Equal(t, "an object", read(t, c, "minio", "health/live"))
	_, err := c.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("healthz")})
	require.NoError(t, err)
}

// At the host of a bucket or a website, /favicon.ico is a key of the bucket. At other hosts, it is a health check.
func TestHealthLeavesIconToWebsite(t *testing.T) {
	server := start(t, environment(), "--create", "photos", "--domain", "s3.localhost")
	for host, status := range map[string]int{
		"photos.localhost:9000": 403, "photos.s3-website.localhost": 404, "PHOTOS.S3.localhost": 403, "s3.localhost:9000": 200, "localhost": 200,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.url+"/favicon.ico", nil)
		require.NoError(t, err)
		r.Host = host
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, status, response.StatusCode, host)
	}
	http.DefaultClient.CloseIdleConnections()
}

// CheckHealth succeeds if a server runs at the address, and fails otherwise.
func TestCheckHealth(t *testing.T) {
	server := start(t, environment())
	secure := start(t, environment(), "--tls", "--ca-file", filepath.Join(t.TempDir(), "ca.pem"))
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	require.NoError(t, CheckHealth(t.Context(), server.url))
	require.NoError(t, CheckHealth(t.Context(), server.url+"/minio/health/live"))
	require.NoError(t, CheckHealth(t.Context(), secure.url))

	require.ErrorContains(t, CheckHealth(t.Context(), other.URL), "404")
	require.ErrorContains(t, CheckHealth(t.Context(), strings.Replace(secure.url, "https", "http", 1)), "400")
	for _, address := range []string{"127.0.0.1:9000", "ftp://a", "http://", "%"} {
		require.ErrorIs(t, CheckHealth(t.Context(), address), storage.InvalidArgument, address)
	}

	server.stop()
	require.Error(t, CheckHealth(t.Context(), server.url))
}
