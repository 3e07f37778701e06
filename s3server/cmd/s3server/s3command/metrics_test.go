package s3command

import (
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// The metrics count requests and bytes by operation and status, but no health checks. They have an
// address of their own.
func TestMetricsCountRequests(t *testing.T) {
	// Find a port that is free.
	free, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, free.Close())
	metricsAddress := free.Addr().String()

	server := startServer(t, environment(), "--create", "photos", "--metrics", metricsAddress)
	server.export()
	c := newClient(t)
	putObject(t, c, "photos", "a", "hello")
	require.Equal(t, "hello", getObject(t, c, "photos", "a"))

	// Send an unsigned request, which is refused, and a health check, which is not counted. Also
	// send a PATCH, for which S3 has no operation.
	sendUnsigned(t, http.MethodGet, server.url+"/photos/a")
	sendUnsigned(t, http.MethodGet, server.url+"/healthz")
	sendUnsigned(t, http.MethodPatch, server.url+"/photos/a")

	status, text := sendUnsigned(t, http.MethodGet, "http://"+metricsAddress+"/metrics")
	require.Equal(t, http.StatusOK, status)

	// There were two GetObjects. The second one was refused.
	wantLines := []string{
		`omnibucket_s3_requests_total{operation="GetObject",status="200"} 1`,
		`omnibucket_s3_requests_total{operation="GetObject",status="403"} 1`,
		`omnibucket_s3_requests_total{operation="PutObject",status="200"} 1`,
		`omnibucket_s3_requests_total{operation="Unknown",status="405"} 1`,
		`# TYPE omnibucket_s3_request_duration_seconds summary`,
		`omnibucket_s3_request_duration_seconds_count{operation="GetObject"} 2`,
		`omnibucket_s3_requests_in_flight 0`,
	}
	for _, line := range wantLines {
		require.Contains(t, text, line+"\n")
	}
	require.Regexp(t, `omnibucket_s3_received_bytes_total\{operation="PutObject"\} [1-9]`, text)
	require.Regexp(t, `omnibucket_s3_sent_bytes_total\{operation="GetObject"\} [1-9]`, text)

	status, _ = sendUnsigned(t, http.MethodGet, server.url+"/metrics")
	require.NotEqual(t, http.StatusOK, status, "the address of S3 must not have the metrics")
}
