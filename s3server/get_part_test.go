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

// uploadInParts uploads an object in parts.
func (s *store) uploadInParts(
	t *testing.T, key string, change func(*s3.CreateMultipartUploadInput), contents ...string,
) *s3.CompleteMultipartUploadOutput {
	t.Helper()
	id := s.beginUpload(t, key, change)
	var parts []types.CompletedPart
	for i, content := range contents {
		parts = append(parts, s.uploadPart(t, key, id, int32(i+1), content, withCRC32C))
	}
	output, err := s.CompleteMultipartUpload(t.Context(), completeInput(key, id, parts...))
	require.NoError(t, err)
	return output
}

// GetObject with a part number returns that part, and HeadObject its size. An object without parts counts as one part.
func TestGetObjectPart(t *testing.T) {
	s := startServer(t, s3server.Config{})
	etags := map[string]*string{ // by key
		"full":      s.uploadInParts(t, "full", fullCRC32C, "0123456789", "abcdefghij", "end").ETag,
		"composite": s.uploadInParts(t, "composite", compositeCRC32C, "0123456789", "abcdefghij", "end").ETag,
		"one":       s.uploadInParts(t, "one", compositeCRC32C, "0123456789").ETag,
		"put":       aws.String(s.put(t, "put", "0123456789")),
		"empty":     aws.String(s.put(t, "empty", "")),
	}

	tests := []struct {
		name             string
		key              string
		number           int32
		wantCount        int32 // of the parts, or 0 if the object was not uploaded in parts
		want             string
		wantSpan         string // in the header Content-Range
		wantChecksumType types.ChecksumType
	}{
		{
			name:             "first part",
			key:              "full",
			number:           1,
			wantCount:        3,
			want:             "0123456789",
			wantSpan:         "bytes 0-9/23",
			wantChecksumType: types.ChecksumTypeFullObject,
		},
		{
			name:             "part in the middle",
			key:              "full",
			number:           2,
			wantCount:        3,
			want:             "abcdefghij",
			wantSpan:         "bytes 10-19/23",
			wantChecksumType: types.ChecksumTypeFullObject,
		},
		{
			name:             "last part",
			key:              "full",
			number:           3,
			wantCount:        3,
			want:             "end",
			wantSpan:         "bytes 20-22/23",
			wantChecksumType: types.ChecksumTypeFullObject,
		},
		{
			name:             "part of an object with a composite checksum",
			key:              "composite",
			number:           2,
			wantCount:        3,
			want:             "abcdefghij",
			wantSpan:         "bytes 10-19/23",
			wantChecksumType: types.ChecksumTypeComposite,
		},
		{
			name:             "only part",
			key:              "one",
			number:           1,
			wantCount:        1,
			want:             "0123456789",
			wantSpan:         "bytes 0-9/10",
			wantChecksumType: types.ChecksumTypeComposite,
		},
		{
			name:             "object without parts",
			key:              "put",
			number:           1,
			want:             "0123456789",
			wantSpan:         "bytes 0-9/10",
			wantChecksumType: types.ChecksumTypeFullObject,
		},
		{name: "empty object", key: "empty", number: 1, wantChecksumType: types.ChecksumTypeFullObject},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			input := &s3.GetObjectInput{
				Bucket:       aws.String(bucket),
				Key:          &tt.key,
				PartNumber:   &tt.number,
				ChecksumMode: types.ChecksumModeEnabled,
			}
			got, err := s.GetObject(t.Context(), input)
			require.NoError(t, err)

			require.Equal(t, tt.want, readBody(t, got.Body), "the SDK has verified the checksum of the part")
			require.Equal(t, tt.wantSpan, aws.ToString(got.ContentRange))
			require.Equal(t, tt.wantCount, aws.ToInt32(got.PartsCount))
			require.Equal(t, etags[tt.key], got.ETag)
			require.Equal(t, tt.wantChecksumType, got.ChecksumType)

			// Only the objects that were uploaded in parts have a CRC-32C checksum.
			if tt.key != "put" && tt.key != "empty" {
				require.Equal(t, crc32c(tt.want), aws.ToString(got.ChecksumCRC32C))
			}

			// HeadObject agrees.
			head, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{
				Bucket:       input.Bucket,
				Key:          input.Key,
				PartNumber:   input.PartNumber,
				ChecksumMode: input.ChecksumMode,
			})
			require.NoError(t, err)
			require.Equal(t, int64(len(tt.want)), *head.ContentLength)
			require.Equal(t, tt.wantSpan, aws.ToString(head.ContentRange))
			require.Equal(t, tt.wantCount, aws.ToInt32(head.PartsCount))
			require.Equal(t, got.ChecksumCRC32C, head.ChecksumCRC32C)
		})
	}

	// A read without a part number does not show the number of parts.
	head, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("full"),
	})
	require.NoError(t, err)
	require.Nil(t, head.PartsCount)
}

// GetObject refuses the number of a part that does not exist, or a number that is invalid.
func TestGetObjectPartRefused(t *testing.T) {
	s := startServer(t, s3server.Config{})
	etag := s.uploadInParts(t, "k", fullCRC32C, "0123456789", "end").ETag
	s.put(t, "put", "x")

	tests := []struct {
		name       string
		path       string
		header     map[string]string
		wantStatus int
		wantCode   string
	}{
		{
			name:       "part after the last",
			path:       "/photos/k?partNumber=3",
			wantStatus: http.StatusRequestedRangeNotSatisfiable,
			wantCode:   "InvalidPartNumber",
		},
		{
			name:       "part 2 of an object without parts",
			path:       "/photos/put?partNumber=2",
			wantStatus: http.StatusRequestedRangeNotSatisfiable,
			wantCode:   "InvalidPartNumber",
		},
		{
			name:       "part number 0",
			path:       "/photos/k?partNumber=0",
			wantStatus: http.StatusBadRequest,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "part number too high",
			path:       "/photos/k?partNumber=10001",
			wantStatus: http.StatusBadRequest,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "part number is not a number",
			path:       "/photos/k?partNumber=one",
			wantStatus: http.StatusBadRequest,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "part number and range",
			path:       "/photos/k?partNumber=1",
			header:     map[string]string{"Range": "bytes=0-1"},
			wantStatus: http.StatusBadRequest,
			wantCode:   "InvalidRequest",
		},
		{
			name:       "condition not met",
			path:       "/photos/k?partNumber=1",
			header:     map[string]string{"If-Match": `"x"`},
			wantStatus: http.StatusPreconditionFailed,
			wantCode:   "PreconditionFailed",
		},
		{
			name:       "object missing",
			path:       "/photos/none?partNumber=1",
			wantStatus: http.StatusNotFound,
			wantCode:   "NoSuchKey",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, body := s.sendSigned(t, "GET", tt.path, "", tt.header)
			require.Equal(t, tt.wantStatus, response.StatusCode, body)
			require.Equal(t, tt.wantCode, parseError(t, body).Code)
		})
	}

	// A condition is about the entity tag of the object, and not about the part.
	response, body := s.sendSigned(t, "GET", "/photos/k?partNumber=2", "", map[string]string{
		"If-Match": *etag,
	})
	require.Equal(t, http.StatusPartialContent, response.StatusCode)
	require.Equal(t, "end", body)
}
