package s3server_test

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// upload uploads an object in parts.
func (s *store) upload(t *testing.T, key string, change func(*s3.CreateMultipartUploadInput), contents ...string) *s3.CompleteMultipartUploadOutput {
	t.Helper()
	id := s.begin(t, key, change)
	var parts []types.CompletedPart
	for i, content := range contents {
		parts = append(parts, s.part(t, key, id, int32(i+1), content, withCRC32C))
	}
	output, err := s.CompleteMultipartUpload(t.Context(), completeInput(key, id, parts...))
	require.NoError(t, err)
	return output
}

// GetObject with a part number returns that part.
func TestGetObjectPart(t *testing.T) {
	s := start(t, s3server.Config{})
	made := map[string]*string{
		"full":      s.upload(t, "full", fullCRC32C, "0123456789", "abcdefghij", "end").ETag,
		"composite": s.upload(t, "composite", compositeCRC32C, "0123456789", "abcdefghij", "end").ETag,
		"one":       s.upload(t, "one", compositeCRC32C, "0123456789").ETag,
		"put":       aws.String(s.put(t, "put", "0123456789")),
		"empty":     aws.String(s.put(t, "empty", "")),
	}
	for name, test := range map[string]struct {
		key           string
		number, count int32
		want, span    string
		kind          types.ChecksumType
	}{
		"the first":               {"full", 1, 3, "0123456789", "bytes 0-9/23", types.ChecksumTypeFullObject},
		"in the middle":           {"full", 2, 3, "abcdefghij", "bytes 10-19/23", types.ChecksumTypeFullObject},
		"the last":                {"full", 3, 3, "end", "bytes 20-22/23", types.ChecksumTypeFullObject},
		"of a composite checksum": {"composite", 2, 3, "abcdefghij", "bytes 10-19/23", types.ChecksumTypeComposite},
		"the only one":            {"one", 1, 1, "0123456789", "bytes 0-9/10", types.ChecksumTypeComposite},
		"an object without parts": {"put", 1, 0, "0123456789", "bytes 0-9/10", types.ChecksumTypeFullObject},
		"an empty object":         {"empty", 1, 0, "", "", types.ChecksumTypeFullObject},
	} {
		t.Run(name, func(t *testing.T) {
			input := &s3.GetObjectInput{Bucket: aws.String(bucket), Key: &test.key, PartNumber: &test.number, ChecksumMode: types.ChecksumModeEnabled}
			got, err := s.GetObject(t.Context(), input)
			require.NoError(t, err)
			require.Equal(t, test.want, read(t, got.Body), "the SDK has verified the checksum of the part")
			require.Equal(t, test.span, aws.ToString(got.ContentRange))
			require.Equal(t, test.count, aws.ToInt32(got.PartsCount))
			require.Equal(t, made[test.key], got.ETag)
			require.Equal(t, test.kind, got.ChecksumType)
			if test.key != "put" && test.key != "empty" {
				require.Equal(t, crc32c(test.want), aws.ToString(got.ChecksumCRC32C))
			}

			head, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: input.Bucket, Key: input.Key, PartNumber: input.PartNumber, ChecksumMode: input.ChecksumMode})
			require.NoError(t, err)
			require.Equal(t, int64(len(test.want)), *head.ContentLength)
			require.Equal(t, test.span, aws.ToString(head.ContentRange))
			require.Equal(t, test.count, aws.ToInt32(head.PartsCount))
			require.Equal(t, got.ChecksumCRC32C, head.ChecksumCRC32C)
		})
	}
	whole, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("full")})
	require.NoError(t, err)
	require.Nil(t, whole.PartsCount, "only a read by number shows the count")
}

// GetObject refuses these part numbers.
func TestGetObjectPartRefused(t *testing.T) {
	s := start(t, s3server.Config{})
	etag := s.upload(t, "k", fullCRC32C, "0123456789", "end").ETag
	s.put(t, "put", "x")
	for name, test := range map[string]struct {
		path   string
		header map[string]string
		status int
		code   string
	}{
		"after the last":              {"/photos/k?partNumber=3", nil, http.StatusRequestedRangeNotSatisfiable, "InvalidPartNumber"},
		"of an object without parts":  {"/photos/put?partNumber=2", nil, http.StatusRequestedRangeNotSatisfiable, "InvalidPartNumber"},
		"number 0":                    {"/photos/k?partNumber=0", nil, http.StatusBadRequest, "InvalidArgument"},
		"a number too high":           {"/photos/k?partNumber=10001", nil, http.StatusBadRequest, "InvalidArgument"},
		"no number":                   {"/photos/k?partNumber=one", nil, http.StatusBadRequest, "InvalidArgument"},
		"also a range":                {"/photos/k?partNumber=1", map[string]string{"Range": "bytes=0-1"}, http.StatusBadRequest, "InvalidRequest"},
		"a condition that is not met": {"/photos/k?partNumber=1", map[string]string{"If-Match": `"x"`}, http.StatusPreconditionFailed, "PreconditionFailed"},
		"a missing object":            {"/photos/none?partNumber=1", nil, http.StatusNotFound, "NoSuchKey"},
	} {
		t.Run(name, func(t *testing.T) {
			response, body := s.signedSend(t, "GET", test.path, "", test.header)
			require.Equal(t, test.status, response.StatusCode, body)
			require.Equal(t, test.code, errorIn(t, body).Code)
		})
	}
	response, body := s.signedSend(t, "GET", "/photos/k?partNumber=2", "", map[string]string{"If-Match": *etag})
	require.Equal(t, http.StatusPartialContent, response.StatusCode)
	require.Equal(t, "end", body)
}
