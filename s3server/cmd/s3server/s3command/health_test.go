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
	tests := []struct {
		host   string
		status int
	}{
		{host: "photos.localhost:9000", status: http.StatusForbidden},
		{host: "photos.s3-website.localhost", status: http.StatusNotFound},
		{host: "PHOTOS.S3.localhost", status: http.StatusForbidden},
		{host: "s3.localhost:9000", status: http.StatusOK},
		{host: "localhost", status: http.StatusOK},
	}
	for _, tt := range tests {
		t.Run(tt.host, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.url+"/favicon.ico", nil)
			require.NoError(t, err)
			r.Host = tt.host
			response, err := http.DefaultClient.Do(r)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, tt.status, response.StatusCode)
		})
	}
	http.DefaultClient.CloseIdleConnections()
}

// CheckHealth succeeds if a server runs at the address, and fails otherwise.
func TestCheckHealth(t *testing.T) {
	server := start(t, environment())
	secure := start(t, environment(), "--tls", "--ca-file", filepath.Join(t.TempDir(), "ca.pem"))
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()

	// The address may have a path, and the certificate need not be trusted.
	require.NoError(t, CheckHealth(t.Context(), server.url))
	require.NoError(t, CheckHealth(t.Context(), server.url+"/minio/health/live"))
	require.NoError(t, CheckHealth(t.Context(), secure.url))

	// Another server, or HTTP in place of HTTPS, is not healthy.
	require.ErrorContains(t, CheckHealth(t.Context(), other.URL), "404")
	insecureURL := strings.Replace(secure.url, "https", "http", 1)
	require.ErrorContains(t, CheckHealth(t.Context(), insecureURL), "400")

	// An address must be a URL.
	for _, address := range []string{"127.0.0.1:9000", "ftp://a", "http://", "%"} {
		require.ErrorIs(t, CheckHealth(t.Context(), address), storage.InvalidArgument, address)
	}

	server.stop()
	require.Error(t, CheckHealth(t.Context(), server.url))
}
