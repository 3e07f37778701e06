// Package minioserver gives tests a bucket on the MinIO that testservers has started.
package minioserver

import (
	"crypto/rand"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/s3"
)

// NewBucket creates a bucket and returns its configuration. It fails the test if no MinIO runs.
func NewBucket(t *testing.T) s3.Config {
	t.Helper()
	profile, known := s3.NamedProfile("minio")
	require.True(t, known)
	c := s3.Config{
		Endpoint: testserver.Need(t, "OMNIBUCKET_TEST_MINIO"), Region: "us-east-1", Profile: &profile,
		AccessKeyID: testserver.Need(t, "OMNIBUCKET_TEST_MINIO_KEY"), SecretKey: testserver.Need(t, "OMNIBUCKET_TEST_MINIO_SECRET"),
	}
	account, err := s3.NewService(t.Context(), c)
	require.NoError(t, err)
	c.Bucket = "test-" + strings.ToLower(rand.Text())
	_, err = account.CreateBucket(t.Context(), c.Bucket)
	require.NoError(t, err)
	return c
}

// Address creates a bucket and returns its address. The test's environment gets the credentials.
func Address(t *testing.T) string {
	t.Helper()
	c := NewBucket(t)
	t.Setenv("AWS_ACCESS_KEY_ID", c.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", c.SecretKey)
	return "s3://" + c.Bucket + "?" + url.Values{
		"region": {c.Region}, "path_style": {"true"}, "profile": {"minio"}, "endpoint": {c.Endpoint},
	}.Encode()
}
