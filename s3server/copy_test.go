package s3server_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// copyInput returns the input of a CopyObject within the bucket.
func copyInput(src, dst string) *s3.CopyObjectInput {
	source := bucket + "/" + strings.ReplaceAll(url.QueryEscape(src), "+", "%20")
	return &s3.CopyObjectInput{Bucket: aws.String(bucket), Key: &dst, CopySource: &source}
}

// CopyObject copies an object of any key.
func TestCopyEachKey(t *testing.T) {
	s := startServer(t, s3server.Config{})
	for _, key := range everyKey {
		t.Run(key, func(t *testing.T) {
			content := "content of " + key
			s.put(t, key, content)

			_, err := s.CopyObject(t.Context(), copyInput(key, "copy"))

			require.NoError(t, err)
			require.Equal(t, content, s.get(t, "copy"))
		})
	}
}

// A copy keeps the properties of its source, except for the storage class, or replaces all of them.
// A copy of an object onto itself must replace them.
func TestCopyKeepsOrReplaces(t *testing.T) {
	s := startServer(t, s3server.Config{})
	input := putInput("from", "content")
	input.ContentType = aws.String("text/plain")
	input.Metadata = map[string]string{"a": "b"}
	input.StorageClass = types.StorageClassStandardIa
	_, err := s.PutObject(t.Context(), input)
	require.NoError(t, err)
	head := func(key string) *s3.HeadObjectOutput {
		output, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: &key})
		require.NoError(t, err)
		return output
	}

	// Keep the properties.
	_, err = s.CopyObject(t.Context(), copyInput("from", "kept"))
	require.NoError(t, err)
	require.Equal(t, "text/plain", *head("kept").ContentType)
	require.Equal(t, map[string]string{"a": "b"}, head("kept").Metadata)
	require.Empty(t, head("kept").StorageClass, "the class is not copied")

	// Replace the properties. Those that the request lacks get their defaults.
	replace := copyInput("from", "replaced")
	replace.MetadataDirective = types.MetadataDirectiveReplace
	replace.Metadata = map[string]string{"c": "d"}
	_, err = s.CopyObject(t.Context(), replace)
	require.NoError(t, err)
	require.Equal(t, "binary/octet-stream", *head("replaced").ContentType)
	require.Equal(t, map[string]string{"c": "d"}, head("replaced").Metadata)

	// Copy the object onto itself.
	_, err = s.CopyObject(t.Context(), copyInput("from", "from"))
	requireFailure(t, err, 400, "InvalidRequest")
	itself := copyInput("from", "from")
	itself.MetadataDirective = types.MetadataDirectiveReplace
	_, err = s.CopyObject(t.Context(), itself)
	require.NoError(t, err)
}

// CopyObject applies the conditions on its source and its target, and refuses an invalid source.
func TestConditionsOfCopy(t *testing.T) {
	tests := []struct {
		name       string
		change     func(input *s3.CopyObjectInput, etag string) // etag is that of the source
		wantStatus int
		wantCode   string
	}{
		{
			name: "source: entity tag matches",
			change: func(input *s3.CopyObjectInput, etag string) {
				input.CopySourceIfMatch = &etag
			},
		},
		{
			name: "source: other entity tag",
			change: func(input *s3.CopyObjectInput, _ string) {
				input.CopySourceIfMatch = aws.String(`"x"`)
			},
			wantStatus: 412,
			wantCode:   "PreconditionFailed",
		},
		{
			name: "source: unless the entity tag matches",
			change: func(input *s3.CopyObjectInput, etag string) {
				input.CopySourceIfNoneMatch = &etag
			},
			wantStatus: 412,
			wantCode:   "PreconditionFailed",
		},
		{
			name: "source missing",
			change: func(input *s3.CopyObjectInput, _ string) {
				input.CopySource = aws.String(bucket + "/none")
			},
			wantStatus: 404,
			wantCode:   "NoSuchKey",
		},
		{
			name: "bucket of the source missing",
			change: func(input *s3.CopyObjectInput, _ string) {
				input.CopySource = aws.String("none/from")
			},
			wantStatus: 404,
			wantCode:   "NoSuchBucket",
		},
		{
			name: "source without a key",
			change: func(input *s3.CopyObjectInput, _ string) {
				input.CopySource = aws.String(bucket)
			},
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name: "create, object exists",
			change: func(input *s3.CopyObjectInput, _ string) {
				input.IfNoneMatch = aws.String("*")
			},
			wantStatus: 412,
			wantCode:   "PreconditionFailed",
		},
		{
			name: "create, object missing",
			change: func(input *s3.CopyObjectInput, _ string) {
				input.IfNoneMatch = aws.String("*")
				input.Key = aws.String("new")
			},
		},
		{
			name: "update, other entity tag",
			change: func(input *s3.CopyObjectInput, etag string) {
				input.IfMatch = &etag
			},
			wantStatus: 412,
			wantCode:   "PreconditionFailed",
		},
		{
			name: "update, object missing",
			change: func(input *s3.CopyObjectInput, etag string) {
				input.IfMatch = &etag
				input.Key = aws.String("new")
			},
			wantStatus: 404,
			wantCode:   "NoSuchKey",
		},
		{
			name: "ACL, which the bucket does not allow",
			change: func(input *s3.CopyObjectInput, _ string) {
				input.ACL = types.ObjectCannedACLPublicRead
			},
			wantStatus: 400,
			wantCode:   "AccessControlListNotSupported",
		},
		{
			name: "source too large",
			change: func(input *s3.CopyObjectInput, _ string) {
				input.CopySource = aws.String(bucket + "/large")
			},
			wantStatus: 400,
			wantCode:   "InvalidRequest",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startServer(t, s3server.Config{})
			etag := s.put(t, "from", "content")
			s.put(t, "to", "old")
			s.put(t, "large", strings.Repeat("x", int(small.MaxCopySize)+1))
			input := copyInput("from", "to")
			tt.change(input, etag)
			_, err := s.CopyObject(t.Context(), input)
			if tt.wantCode == "" {
				require.NoError(t, err)
				require.Equal(t, "content", s.get(t, *input.Key))
				return
			}

			requireFailure(t, err, tt.wantStatus, tt.wantCode)
			require.Equal(t, "old", s.get(t, "to"))
		})
	}
}

// UploadPartCopy makes a part of a whole object or of a range of it, and the complete object does not need its source.
func TestUploadPartCopy(t *testing.T) {
	const wholeSource = "" // in place of a range
	s := startServer(t, s3server.Config{})
	s.put(t, "from", "0123456789abcdef")
	s.put(t, "short", "0123456789")
	upload := s.beginUpload(t, "to", fullCRC32C)

	copyPart := func(number int32, key, span string) (types.CompletedPart, error) {
		input := &s3.UploadPartCopyInput{
			Bucket:     aws.String(bucket),
			Key:        aws.String("to"),
			UploadId:   &upload,
			PartNumber: &number,
			CopySource: aws.String(bucket + "/" + key),
		}
		if span != wholeSource {
			input.CopySourceRange = &span
		}
		output, err := s.UploadPartCopy(t.Context(), input)
		if err != nil {
			return types.CompletedPart{}, err
		}
		return types.CompletedPart{
			PartNumber:     &number,
			ETag:           output.CopyPartResult.ETag,
			ChecksumCRC32C: output.CopyPartResult.ChecksumCRC32C,
		}, nil
	}

	// Two parts are copies, and one is uploaded.
	first, err := copyPart(1, "from", wholeSource)
	require.NoError(t, err)
	second, err := copyPart(2, "from", "bytes=4-14")
	require.NoError(t, err)
	third := s.uploadPart(t, "to", upload, 3, "!", withCRC32C)

	// A range must have both ends within the source, and the source must not be short.
	refused := []struct {
		name, key, span, wantCode string
	}{
		{name: "no end", key: "from", span: "bytes=4-", wantCode: "InvalidArgument"},
		{name: "end behind the source", key: "from", span: "bytes=10-16", wantCode: "InvalidArgument"},
		{name: "no start", key: "from", span: "bytes=-4", wantCode: "InvalidArgument"},
		{name: "start after the source", key: "from", span: "bytes=16-20", wantCode: "InvalidRequest"},
		{name: "short source", key: "short", span: "bytes=0-1", wantCode: "InvalidRequest"},
	}
	for _, tt := range refused {
		t.Run(tt.name, func(t *testing.T) {
			_, err := copyPart(4, tt.key, tt.span)
			requireFailure(t, err, 400, tt.wantCode)
		})
	}

	// The complete object does not need the source.
	_, err = s.CompleteMultipartUpload(t.Context(), completeInput("to", upload, first, second, third))
	require.NoError(t, err)
	_, err = s.DeleteObject(t.Context(), &s3.DeleteObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("from"),
	})
	require.NoError(t, err)
	require.Equal(t, "0123456789abcdef"+"456789abcde"+"!", s.get(t, "to"))

	// A copy of the object is not multipart, and has a checksum of the whole content.
	copyOutput, err := s.CopyObject(t.Context(), copyInput("to", "whole"))
	require.NoError(t, err)
	require.NotContains(t, *copyOutput.CopyObjectResult.ETag, "-")
	require.Equal(t, crc32c("0123456789abcdef456789abcde!"), *copyOutput.CopyObjectResult.ChecksumCRC32C)
}
