// Package minioserver gives tests a bucket on MinIO, which tools/testservers must have started.
package minioserver

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/freshbucket"
	"github.com/omnibucket/storage/internal/testing/minio"
	"github.com/omnibucket/storage/providers/s3"
)

// NewBucket creates a bucket on MinIO and returns its configuration. The test fails if MinIO is not
// running.
func NewBucket(t *testing.T) s3.Config {
	t.Helper()
	c := minio.Config(t)
	account, err := s3.NewService(t.Context(), c)
	require.NoError(t, err)
	c.Bucket = freshbucket.Create(t, account)
	return c
}

// Address creates a bucket on MinIO, sets its credentials in the environment of the test, and returns
// its address.
func Address(t *testing.T) string {
	t.Helper()
	c := NewBucket(t)
	t.Setenv("AWS_ACCESS_KEY_ID", c.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", c.SecretKey)
	return "s3://" + c.Bucket + "?" + url.Values{
		"region":     {c.Region},
		"path_style": {"true"},
		"profile":    {"minio"},
		"endpoint":   {c.Endpoint},
	}.Encode()
}
