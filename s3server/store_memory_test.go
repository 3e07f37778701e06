package s3server_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// Config.MaxBytes limits the bytes in memory: objects and parts, and an old object until a new one has replaced it.
func TestMaxBytesBoundsMemory(t *testing.T) {
	const maxBytes = 100
	s := startServer(t, s3server.Config{MaxBytes: maxBytes})
	s.put(t, "a", strings.Repeat("a", 60))

	// 60 bytes are in use. The old object stays until the new one is there.
	_, err := s.PutObject(t.Context(), putInput("b", strings.Repeat("b", 60)))
	requireFailure(t, err, 507, "XMinioStorageFull")
	_, err = s.PutObject(t.Context(), putInput("a", strings.Repeat("c", 60)))
	requireFailure(t, err, 507, "XMinioStorageFull")
	require.Equal(t, strings.Repeat("a", 60), s.get(t, "a"))

	_, err = s.CopyObject(t.Context(), copyInput("a", "copy"))
	require.NoError(t, err, "a copy shares its bytes")

	// A part of 40 bytes fills the memory, until its upload ends.
	upload := s.beginUpload(t, "b")
	s.uploadPart(t, "b", upload, 1, strings.Repeat("b", 40))
	_, err = s.UploadPart(t.Context(), &s3.UploadPartInput{
		Bucket:     new(bucket),
		Key:        new("b"),
		UploadId:   &upload,
		PartNumber: new(int32(2)),
		Body:       strings.NewReader("c"),
	})
	requireFailure(t, err, 507, "XMinioStorageFull")
	_, err = s.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{
		Bucket:   new(bucket),
		Key:      new("b"),
		UploadId: &upload,
	})
	require.NoError(t, err)

	// The bytes that a and its copy share are free when both are removed.
	s.deleteObject(t, "a")
	_, err = s.PutObject(t.Context(), putInput("b", strings.Repeat("b", 41)))
	requireFailure(t, err, 507, "XMinioStorageFull")
	s.deleteObject(t, "copy")
	s.put(t, "b", strings.Repeat("b", maxBytes))
}
