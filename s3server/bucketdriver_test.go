package s3server_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/storagetest"
)

// A bucket that Server.Bucket returns passes the conformance suite of storage buckets.
func TestBucketConformance(t *testing.T) {
	storagetest.Run(t, func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		c := s3server.Config{Buckets: []string{bucket}}
		useStore(t, &c)
		return s3server.New(c).Bucket(bucket, opts...)
	})
}

// Server.Bucket shows the same objects as S3 clients of the server.
func TestBucketShowsObjectsOfClients(t *testing.T) {
	s := startServer(t, s3server.Config{})
	b := s.server.Bucket(bucket)

	// A client sees an object of Server.Bucket.
	attrs, err := b.Upload(t.Context(), "seeded.txt", strings.NewReader("seed"), storage.WithMetadata(map[string]string{
		"by": "Zoë",
	}))
	require.NoError(t, err)

	head, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("seeded.txt"),
	})
	require.NoError(t, err)
	require.Equal(t, attrs.ETag, *head.ETag)
	require.Equal(t, "text/plain; charset=utf-8", *head.ContentType)
	require.Equal(t, "seed", s.get(t, "seeded.txt"))

	// Server.Bucket sees an object of a client.
	input := putInput("sent", "content")
	input.Metadata = map[string]string{"a": "b"}
	input.Tagging = aws.String("k=v")
	input.StorageClass = types.StorageClassStandardIa
	put, err := s.PutObject(t.Context(), input)
	require.NoError(t, err)

	content, attrs, err := storage.ReadAll(t.Context(), b, "sent")
	require.NoError(t, err)
	require.Equal(t, "content", string(content))
	require.Equal(t, *put.ETag, attrs.ETag)
	require.Equal(t, map[string]string{"a": "b"}, attrs.Metadata)
	require.Equal(t, "STANDARD_IA", attrs.StorageClass)
	require.Equal(t, 1, attrs.TagCount)

	// The listing of the driver has the storage classes of both objects.
	classes := map[string]string{}
	for entry, err := range b.List(t.Context()) {
		require.NoError(t, err)
		classes[entry.Key] = entry.StorageClass
	}
	require.Equal(t, map[string]string{"seeded.txt": "", "sent": "STANDARD_IA"}, classes)

	// Operations of the driver are not requests, so faults do not affect them.
	requests := s.server.Count("")
	s.server.Inject(s3server.Fail("*", "SlowDown"))
	require.NoError(t, b.Remove(t.Context(), "sent"))
	require.Equal(t, requests, s.server.Count(""))
}

// Calls of a bucket that Server.Bucket returns fail with BucketNotFound if the server has no bucket of this name.
func TestBucketMissing(t *testing.T) {
	s := startServer(t, s3server.Config{})
	missing := s.server.Bucket("none")

	_, err := missing.Attrs(t.Context(), "k")
	require.ErrorIs(t, err, storage.BucketNotFound)

	_, err = missing.Upload(t.Context(), "k", strings.NewReader(""))
	require.ErrorIs(t, err, storage.BucketNotFound)
}
