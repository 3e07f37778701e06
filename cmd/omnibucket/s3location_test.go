package main

import (
	"net/url"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// startS3Location starts an S3 server that records all requests. It makes the name of the location stand for the bucket
// "photos" of the server.
func (s *shell) startS3Location(name string, c s3server.Config) *s3server.Server {
	s.t.Helper()
	c.Buckets = []string{"photos"}
	server, err := s3server.Start(c)
	require.NoError(s.t, err)
	s.t.Cleanup(server.Close)
	s.t.Setenv("AWS_ACCESS_KEY_ID", s3server.DefaultAccessKeyID)
	s.t.Setenv("AWS_SECRET_ACCESS_KEY", s3server.DefaultSecretKey)
	parameters := url.Values{
		"endpoint":   {server.URL},
		"region":     {s3server.DefaultRegion},
		"path_style": {"true"},
	}
	s.setLocation(name, "s3://photos?"+parameters.Encode())
	return server
}
