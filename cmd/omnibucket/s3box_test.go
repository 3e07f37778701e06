package main

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// startS3Box makes box: a bucket "photos" of a new S3 server, which records all requests.
func startS3Box(t *testing.T, s *shell, c s3server.Config) *s3server.Server {
	t.Helper()
	c.Buckets = []string{"photos"}
	server, err := s3server.Start(c)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", s3server.DefaultAccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3server.DefaultSecretKey)
	s.env["OMNIBUCKET_BOX"] = "s3://photos?" + url.Values{"endpoint": {server.URL}, "region": {s3server.DefaultRegion}, "path_style": {"true"}}.Encode()
	return server
}
