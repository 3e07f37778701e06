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

// The paths of the health check respond to unsigned requests, but only to GET and HEAD without a query.
func TestHealthNeedsNoSignature(t *testing.T) {
	server := startServer(t, environment())
	for path := range healthPaths {
		t.Run(path, func(t *testing.T) {
			url := server.url + path

			status, _ := sendUnsigned(t, http.MethodGet, url)
			require.Equal(t, http.StatusOK, status)
			status, _ = sendUnsigned(t, http.MethodHead, url)
			require.Equal(t, http.StatusOK, status)

			status, _ = sendUnsigned(t, http.MethodPut, url)
			require.NotEqual(t, http.StatusOK, status)
			status, _ = sendUnsigned(t, http.MethodGet, url+"?list-type=2")
			require.NotEqual(t, http.StatusOK, status)
		})
	}
}

// A bucket can be used even if its name is a path of the health check, or the beginning of one.
func TestHealthIsBucketName(t *testing.T) {
	server := startServer(t, environment(), "--create", "healthz", "--create", "minio")
	server.export()
	c := newClient(t)

	putObject(t, c, "minio", "health/live", "an object")
	require.Equal(t, "an object", getObject(t, c, "minio", "health/live"))

	_, err := c.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("healthz")})
	require.NoError(t, err)
}

// The path /favicon.ico is a key if the host is that of a bucket or a website. At other hosts, it
// is a health check.
func TestHealthLeavesIconToWebsite(t *testing.T) {
	server := startServer(t, environment(), "--create", "photos", "--domain", "s3.localhost")

	// The bucket refuses the unsigned request, and is no website. At other hosts, the health check
	// succeeds.
	tests := []struct {
		host       string
		wantStatus int
	}{
		{host: "photos.localhost:9000", wantStatus: http.StatusForbidden},
		{host: "photos.s3-website.localhost", wantStatus: http.StatusNotFound},
		{host: "PHOTOS.S3.localhost", wantStatus: http.StatusForbidden},
		{host: "s3.localhost:9000", wantStatus: http.StatusOK},
		{host: "localhost", wantStatus: http.StatusOK},
	}
	for _, tt := range tests {
		t.Run(tt.host, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.url+"/favicon.ico", nil)
			require.NoError(t, err)
			req.Host = tt.host

			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, tt.wantStatus, resp.StatusCode)
		})
	}
	http.DefaultClient.CloseIdleConnections()
}

// CheckHealth succeeds if a server runs at the address, and fails otherwise.
func TestCheckHealth(t *testing.T) {
	server := startServer(t, environment())
	secure := startServer(t, environment(), "--tls", "--ca-file", filepath.Join(t.TempDir(), "ca.pem"))
	otherServer := httptest.NewServer(http.NotFoundHandler())
	defer otherServer.Close()

	// CheckHealth accepts an address with a path, and a certificate that is not trusted.
	require.NoError(t, CheckHealth(t.Context(), server.url))
	require.NoError(t, CheckHealth(t.Context(), server.url+"/minio/health/live"))
	require.NoError(t, CheckHealth(t.Context(), secure.url))

	// CheckHealth fails for a server of another kind, and for HTTP in place of HTTPS.
	require.ErrorContains(t, CheckHealth(t.Context(), otherServer.URL), "404")
	insecureURL := strings.Replace(secure.url, "https", "http", 1)
	require.ErrorContains(t, CheckHealth(t.Context(), insecureURL), "400")

	// An address must be a URL.
	for _, address := range []string{"127.0.0.1:9000", "ftp://a", "http://", "%"} {
		require.ErrorIs(t, CheckHealth(t.Context(), address), storage.InvalidArgument, address)
	}

	// A server that was stopped is not healthy.
	server.stop()
	require.Error(t, CheckHealth(t.Context(), server.url))
}
