package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// Without a region, the program asks Amazon for the region of the bucket.
func TestRegionOfABucket(t *testing.T) {
	// This server knows the region of every bucket but "none".
	lastRequest := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lastRequest = r.Method + " " + r.URL.Path
		require.Empty(t, r.Header.Get("Authorization"))
		if r.URL.Path != "/none" {
			w.Header().Set("x-amz-bucket-region", "eu-west-1")
		}
		w.WriteHeader(http.StatusMovedPermanently)
	}))
	defer server.Close()

	// The program asks this server instead of Amazon. Neither the environment nor a profile names a
	// region.
	realServer := program.RegionServer
	program.RegionServer = server.URL
	defer func() {
		program.RegionServer = realServer
	}()

	for _, variable := range []string{
		"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE",
	} {
		t.Setenv(variable, "")
	}
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	s := newShell(t)

	// A signed URL contains the region of the bucket.
	require.Contains(t, s.run("sign", "s3://photos/a"), "eu-west-1")
	require.Equal(t, "HEAD /photos", lastRequest)

	// If a parameter or a flag names the region, the program sends no request.
	lastRequest = ""
	require.Contains(t, s.run("sign", "s3://photos/a?region=us-west-2"), "us-west-2")
	require.Contains(t, s.run("sign", "--region", "us-west-2", "s3://photos/a"), "us-west-2")
	require.Empty(t, lastRequest)

	// If the server does not know the region, a hint says how to set it.
	_, stderr := s.requireExit(exitUsage, "sign", "s3://none/a")
	require.Contains(t, stderr, "hint: set region=")
}
