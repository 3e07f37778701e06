package s3server_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// A repeated CompleteMultipartUpload has the same result, even after the object was replaced. The
// server refuses the request if its parts or its key differ.
func TestCompleteAgainReturnsSameResult(t *testing.T) {
	// An upload of two parts is completed in a bucket with versions.
	s := startServer(t, s3server.Config{})
	s.setVersioning(t, types.BucketVersioningStatusEnabled)
	upload := s.beginUpload(t, "k", compositeCRC32C)
	firstPart := s.uploadPart(t, "k", upload, 1, "0123456789", withCRC32C)
	lastPart := s.uploadPart(t, "k", upload, 2, "last", withCRC32C)
	input := completeInput("k", upload, firstPart, lastPart)
	want, err := s.CompleteMultipartUpload(t.Context(), input)
	require.NoError(t, err)

	requireSameResult := func(input *s3.CompleteMultipartUploadInput) {
		t.Helper()
		got, err := s.CompleteMultipartUpload(t.Context(), input)
		require.NoError(t, err)
		require.Equal(t, want.ETag, got.ETag)
		require.Equal(t, want.VersionId, got.VersionId)
		require.NotEmpty(t, got.VersionId)
		require.Equal(t, want.ChecksumCRC32C, got.ChecksumCRC32C)
		require.Equal(t, want.Location, got.Location)
		require.Equal(t, want.ServerSideEncryption, got.ServerSideEncryption)
	}

	// The repeated request writes nothing, even if it has a condition that the object does not
	// meet.
	requireSameResult(input)
	ifAbsent := *input
	ifAbsent.IfNoneMatch = aws.String("*")
	requireSameResult(&ifAbsent)
	versions, err := s.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{
		Bucket: aws.String(bucket),
	})
	require.NoError(t, err)
	require.Len(t, versions.Versions, 1)

	// The entity tags must be the same.
	swappedFirst := firstPart
	swappedFirst.ETag = lastPart.ETag
	swappedLast := lastPart
	swappedLast.ETag = firstPart.ETag
	_, err = s.CompleteMultipartUpload(t.Context(), completeInput("k", upload, swappedFirst, swappedLast))
	requireFailure(t, err, 404, "NoSuchUpload")

	// The repeated request does not replace an object that was written later.
	s.put(t, "k", "replaced")
	requireSameResult(input)
	require.Equal(t, "replaced", s.get(t, "k"))

	// The number of parts and the key must be the same.
	onePart := completeInput("k", upload, input.MultipartUpload.Parts[0])
	_, err = s.CompleteMultipartUpload(t.Context(), onePart)
	requireFailure(t, err, 404, "NoSuchUpload")
	otherKey := *input
	otherKey.Key = aws.String("other")
	_, err = s.CompleteMultipartUpload(t.Context(), &otherKey)
	requireFailure(t, err, 404, "NoSuchUpload")

	// For other operations, the upload does not exist.
	_, err = s.ListParts(t.Context(), &s3.ListPartsInput{
		Bucket:   aws.String(bucket),
		Key:      aws.String("k"),
		UploadId: &upload,
	})
	requireFailure(t, err, 404, "NoSuchUpload")
}

// CompleteMultipartUpload with an empty upload ID fails, even if the list of parts has the ETag of the present object.
func TestCompleteWithoutID(t *testing.T) {
	s := startServer(t, s3server.Config{})
	etag := s.put(t, "k", "content")

	document := "<CompleteMultipartUpload>" +
		"<Part><PartNumber>1</PartNumber><ETag>" + etag + "</ETag></Part>" +
		"</CompleteMultipartUpload>"
	response, body := s.sendSigned(t, "POST", "/photos/k?uploadId=", document, nil)
	require.Equal(t, 404, response.StatusCode, body)
	require.Equal(t, "NoSuchUpload", parseError(t, body).Code)
}

// If the response to CompleteMultipartUpload is lost, the retry of the client succeeds.
func TestCompleteAfterLostResponse(t *testing.T) {
	s := startServer(t, s3server.Config{}, func(o *s3.Options) {
		o.RetryMaxAttempts = 3
	})

	s.server.Inject(s3server.Fault{Operation: "CompleteMultipartUpload", DropResponse: true, Times: 1})
	s.uploadInParts(t, "k", fullCRC32C, "0123456789", "last")
	require.Equal(t, 2, s.server.Count("CompleteMultipartUpload"))
	require.Equal(t, "0123456789last", s.get(t, "k"))
}

// Several clients can complete an upload at the same time, and all succeed.
func TestCompleteAtOnce(t *testing.T) {
	const clients = 8
	s := startServer(t, s3server.Config{})
	upload := s.beginUpload(t, "k")
	input := completeInput("k", upload, s.uploadPart(t, "k", upload, 1, "0123456789"))

	errs := make(chan error, clients)
	for range clients {
		go func() {
			_, err := s.CompleteMultipartUpload(t.Context(), input)
			errs <- err
		}()
	}
	for range clients {
		require.NoError(t, <-errs)
	}
}

// The server forgets the completed uploads of a deleted bucket, even if a bucket of the same name is created again.
func TestCompleteAfterBucketWasDeleted(t *testing.T) {
	s := startServer(t, s3server.Config{})
	upload := s.beginUpload(t, "k")
	input := completeInput("k", upload, s.uploadPart(t, "k", upload, 1, "0123456789"))
	_, err := s.CompleteMultipartUpload(t.Context(), input)
	require.NoError(t, err)

	// Delete the object and its bucket.
	_, err = s.DeleteObject(t.Context(), &s3.DeleteObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	})
	require.NoError(t, err)
	_, err = s.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)

	// A repeated completion fails, even after the bucket is created again.
	_, err = s.CompleteMultipartUpload(t.Context(), input)
	requireFailure(t, err, 404, "NoSuchBucket")

	_, err = s.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	_, err = s.CompleteMultipartUpload(t.Context(), input)
	requireFailure(t, err, 404, "NoSuchUpload")
}
