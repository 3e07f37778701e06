package s3server_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// Config.MaxBytes limits what the server stores in memory.
func TestMaxBytesBoundsMemory(t *testing.T) {
	s := start(t, s3server.Config{MaxBytes: 100})
	s.put(t, "a", strings.Repeat("a", 60))
	_, err := s.PutObject(t.Context(), putInput("b", strings.Repeat("b", 60)))
	requireFailure(t, err, 507, "XMinioStorageFull")
	_, err = s.PutObject(t.Context(), putInput("a", strings.Repeat("c", 60)))
	requireFailure(t, err, 507, "XMinioStorageFull") // the old object stays until the new one is there
	require.Equal(t, strings.Repeat("a", 60), s.get(t, "a"))

	_, err = s.CopyObject(t.Context(), copyInput("a", "copy"))
	require.NoError(t, err, "a copy shares its bytes")
	upload := s.begin(t, "b")
	s.part(t, "b", upload, 1, strings.Repeat("b", 40))

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

	s.remove(t, "a", "")
	_, err = s.PutObject(t.Context(), putInput("b", strings.Repeat("b", 41)))
	requireFailure(t, err, 507, "XMinioStorageFull")
	s.remove(t, "copy", "")
	s.put(t, "b", strings.Repeat("b", 100))
}
