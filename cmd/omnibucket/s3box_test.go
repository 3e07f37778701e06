package main

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// startS3Box starts an S3 server that records all requests. It makes "box:" stand for the bucket "photos" of the server.
func startS3Box(t *testing.T, s *shell, c s3server.Config) *s3server.Server {
	t.Helper()
	c.Buckets = []string{"photos"}
	server, err := s3server.Start(c)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", s3server.DefaultAccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3server.DefaultSecretKey)
	parameters := url.Values{
		"endpoint":   {server.URL},
		"region":     {s3server.DefaultRegion},
		"path_style": {"true"},
	}
	s.setBox("s3://photos?" + parameters.Encode())
	return server
}
