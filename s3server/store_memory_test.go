package s3server_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// Config.MaxBytes limits the bytes of objects and parts in memory. While an object is replaced, both its old and its
// new content count.
func TestMaxBytesBoundsMemory(t *testing.T) {
	const (
		maxBytes   = 100
		objectSize = 60
		freeSize   = maxBytes - objectSize
	)
	s := startServer(t, s3server.Config{MaxBytes: maxBytes})
	put := func(key, content string) error {
		_, err := s.PutObject(t.Context(), putInput(key, content))
		return err
	}
	requireFull := func(err error) {
		t.Helper()
		requireFailure(t, err, 507, "XMinioStorageFull")
	}
	oldContent := strings.Repeat("o", objectSize)
	newContent := strings.Repeat("n", objectSize)

	// A second object of this size does not fit, not even in place of the first one.
	require.NoError(t, put("a", oldContent))
	requireFull(put("b", newContent))
	requireFull(put("a", newContent))
	require.Equal(t, oldContent, s.get(t, "a"))

	// A copy shares the bytes of its source.
	_, err := s.CopyObject(t.Context(), copyInput("a", "copy"))
	require.NoError(t, err)

	// A part uses up the free bytes until its upload is aborted.
	upload := s.beginUpload(t, "b")
	s.uploadPart(t, "b", upload, 1, strings.Repeat("x", freeSize))
	_, err = s.UploadPart(t.Context(), &s3.UploadPartInput{
		Bucket:     aws.String(bucket),
		Key:        aws.String("b"),
		UploadId:   &upload,
		PartNumber: aws.Int32(2),
		Body:       strings.NewReader("x"),
	})
	requireFull(err)
	s.abort(t, "b", upload)

	// The shared bytes become free only when both the object and its copy are removed.
	s.deleteObject(t, "a")
	requireFull(put("b", strings.Repeat("x", freeSize+1)))
	s.deleteObject(t, "copy")
	require.NoError(t, put("b", strings.Repeat("x", maxBytes)))
}
