//go:build omnibucket_sdks

package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/recorded"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// The files of -record are read by the code that reads the recordings of others, and the driver
// understands the responses in them.
func TestRecordingIsPlayedBack(t *testing.T) {
	const key, secret = "AKIDOFTHERECORDING", "secret-of-the-recording"
	t.Setenv("AWS_ACCESS_KEY_ID", key)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	server := httptest.NewServer(s3server.New(s3server.Config{
		Credentials: []s3server.Credential{{AccessKeyID: key, SecretKey: secret}},
	}))
	t.Cleanup(server.Close)
	dir := filepath.Join(t.TempDir(), "recording")
	address := "s3://?profile=minio&path_style=true&endpoint=" + url.QueryEscape(server.URL)
	out := filepath.Join(t.TempDir(), "r.json")
	said, err := certify(t, "-yes", "-run", "K1,R1", "-record", dir, "-o", out, address).CombinedOutput()
	require.NoError(t, err, "%s", said)
	require.Contains(t, string(said), "Exchanges are in "+dir)

	files, err := filepath.Glob(filepath.Join(dir, "*.replay"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, hidden := range []string{key, secret, "omnibucket-certify", "127.0.0.1"} {
			require.NotContains(t, string(data), hidden)
		}
	}
	recorded.Play(t, recorded.Store{
		Provider: recorded.Amazon,
		Open: func(t *testing.T, client *http.Client, bucket string) driver.Driver {
			d, err := s3.NewDriver(t.Context(), s3.Config{
				Bucket: bucket, Region: "us-east-1", AccessKeyID: key, SecretKey: secret, HTTPClient: client,
			})
			require.NoError(t, err)
			return d
		},
		Aside: func(_ *recorded.Exchange, kind recorded.Kind) *recorded.Response {
			if kind == "HEAD bucket" {
				return &recorded.Response{Status: http.StatusOK, Header: http.Header{"X-Amz-Request-Id": {"1"}}}
			}
			return nil
		},
	}, recorded.ReadFolder(t, recorded.Amazon, dir))
}
