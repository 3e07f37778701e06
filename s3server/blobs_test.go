package s3server_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/s3server"
)

// TestUnusedBlobsAreDeleted counts what the driver under the server holds.
func TestUnusedBlobsAreDeleted(t *testing.T) {
	drv := memstore.NewDriver(memstore.Config{})
	s := start(t, s3server.Config{Driver: drv})
	held := func() int {
		page, err := drv.List(t.Context(), &driver.ListRequest{Limit: 1000})
		require.NoError(t, err)
		return len(page.Entries)
	}
	s.put(t, "a", "one")
	s.put(t, "a", "two")
	require.Equal(t, 1, held(), "the replaced blob must be deleted")

	in := putInput("a", "three")
	in.IfNoneMatch = aws.String("*")
	_, err := s.PutObject(t.Context(), in)
	failsWith(t, err, 412, "PreconditionFailed")
	in = putInput("a", "three")
	in.ChecksumCRC32C = aws.String("AAAAAA==")
	_, err = s.PutObject(t.Context(), in)
	failsWith(t, err, 400, "BadDigest")
	require.Equal(t, 1, held(), "the refused blob must be deleted")

	_, err = s.CopyObject(t.Context(), copyInput("a", "b"))
	require.NoError(t, err)
	require.Equal(t, 1, held(), "a copy shares its bytes")
	s.remove(t, "a", "")
	require.Equal(t, "two", s.get(t, "b"))

	upload := s.begin(t, "b")
	s.part(t, "b", upload, 1, "replaced part")
	first := s.part(t, "b", upload, 1, "the first part")
	s.part(t, "b", upload, 2, "not asked for")
	require.Equal(t, 3, held())
	small := completeInput("b", upload, first)
	small.MpuObjectSize = aws.Int64(1)
	_, err = s.CompleteMultipartUpload(t.Context(), small)
	failsWith(t, err, 400, "InvalidRequest")
	require.Equal(t, 3, held(), "the upload is still there")
	_, err = s.CompleteMultipartUpload(t.Context(), completeInput("b", upload, first))
	require.NoError(t, err)
	require.Equal(t, 1, held())

	upload = s.begin(t, "b")
	s.part(t, "b", upload, 1, strings.Repeat("x", 100))
	_, err = s.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("b"), UploadId: &upload})
	require.NoError(t, err)
	s.remove(t, "b", "")
	require.Zero(t, held())
}
