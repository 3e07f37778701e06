package s3command

import (
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// The metrics count requests and bytes by operation and status, but not requests for the health. They have an
// address of their own.
func TestMetricsCountRequests(t *testing.T) {
	// Find a port that is free.
	free, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, free.Close())
	server := start(t, environment(), "--create", "photos", "--metrics", free.Addr().String())
	server.export()

	c := client(t)
	put(t, c, "photos", "a", "hello")
	require.Equal(t, "hello", read(t, c, "photos", "a"))
	ask(t, http.MethodGet, server.url+"/photos/a")
	ask(t, http.MethodGet, server.url+"/healthz")
	ask(t, http.MethodPatch, server.url+"/photos/a")

	status, text := ask(t, http.MethodGet, "http://"+free.Addr().String()+"/metrics")
	require.Equal(t, http.StatusOK, status)
	for _, line := range []string{
		`omnibucket_s3_requests_total{operation="GetObject",status="200"} 1`,
		`omnibucket_s3_requests_total{operation="GetObject",status="403"} 1`,
		`omnibucket_s3_requests_total{operation="PutObject",status="200"} 1`,
		`omnibucket_s3_requests_total{operation="Unknown",status="405"} 1`,
		`# TYPE omnibucket_s3_request_duration_seconds summary`,
		`omnibucket_s3_request_duration_seconds_count{operation="GetObject"} 2`,
		`omnibucket_s3_requests_in_flight 0`,
	} {
		require.Contains(t, text, line+"\n")
	}
	require.Regexp(t, `omnibucket_s3_received_bytes_total\{operation="PutObject"\} [1-9]`, text)
	require.Regexp(t, `omnibucket_s3_sent_bytes_total\{operation="GetObject"\} [1-9]`, text)

	status, _ = ask(t, http.MethodGet, server.url+"/metrics")
	require.NotEqual(t, http.StatusOK, status, "only at their own address")
}
