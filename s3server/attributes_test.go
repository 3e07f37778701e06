package s3server_test

import (
	"cmp"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// attributesInput returns the input that reads all attributes of an object.
func attributesInput(key string) *s3.GetObjectAttributesInput {
	return &s3.GetObjectAttributesInput{
		Bucket:           aws.String(bucket),
		Key:              &key,
		ObjectAttributes: types.ObjectAttributes("").Values(),
	}
}

// GetObjectAttributes returns those attributes of an object that the request names.
func TestAttributesOfObject(t *testing.T) {
	s := startServer(t, s3server.Config{})
	input := putInput("k", "hello")
	input.ChecksumCRC32C = aws.String(crc32c("hello"))
	input.StorageClass = types.StorageClassStandardIa
	put, err := s.PutObject(t.Context(), input)
	require.NoError(t, err)

	// The request names all attributes.
	got, err := s.GetObjectAttributes(t.Context(), attributesInput("k"))
	require.NoError(t, err)
	require.Equal(t, strings.Trim(*put.ETag, `"`), *got.ETag)
	require.Equal(t, int64(5), *got.ObjectSize)
	require.Equal(t, types.StorageClassStandardIa, got.StorageClass)
	require.Equal(t, input.ChecksumCRC32C, got.Checksum.ChecksumCRC32C)
	require.Equal(t, types.ChecksumTypeFullObject, got.Checksum.ChecksumType)
	require.Nil(t, got.ObjectParts)
	require.Nil(t, got.VersionId)
	require.NotNil(t, got.LastModified)

	// The request names only the size.
	sizeInput := attributesInput("k")
	sizeInput.ObjectAttributes = []types.ObjectAttributes{types.ObjectAttributesObjectSize}
	got, err = s.GetObjectAttributes(t.Context(), sizeInput)
	require.NoError(t, err)
	require.Equal(t, int64(5), *got.ObjectSize)
	require.Nil(t, got.ETag)
	require.Nil(t, got.Checksum)
	require.Empty(t, got.StorageClass)

	// The header can name several attributes. The response has them in the order of the schema.
	response, body := s.sendSigned(t, "GET", "/photos/k?attributes", "", map[string]string{
		"X-Amz-Object-Attributes": "ObjectSize, StorageClass",
	})
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Contains(t, body,
		"<StorageClass>STANDARD_IA</StorageClass><ObjectSize>5</ObjectSize></GetObjectAttributesResponse>")
}

// GetObjectAttributes lists the parts of an object with a composite checksum page by page, but only counts those of
// other objects.
func TestAttributesOfCompositeChecksum(t *testing.T) {
	s := startServer(t, s3server.Config{})
	contents := []string{"0123456789", "abcdefghij", "ABCDEFGHIJ", "end"}
	completed := s.uploadInParts(t, "composite", compositeCRC32C, contents...)

	// One page has all parts.
	got, err := s.GetObjectAttributes(t.Context(), attributesInput("composite"))
	require.NoError(t, err)
	require.Equal(t, strings.TrimSuffix(*completed.ChecksumCRC32C, "-4"), *got.Checksum.ChecksumCRC32C)
	require.Equal(t, types.ChecksumTypeComposite, got.Checksum.ChecksumType)
	require.Equal(t, int32(4), *got.ObjectParts.TotalPartsCount)
	require.False(t, *got.ObjectParts.IsTruncated)
	require.Len(t, got.ObjectParts.Parts, 4)

	// The listed parts are the same for every page size.
	for _, pageSize := range []int32{1, 2, 3, 4} {
		input := attributesInput("composite")
		input.MaxParts = &pageSize

		var all []types.ObjectPart
		for {
			got, err := s.GetObjectAttributes(t.Context(), input)
			require.NoError(t, err)

			parts := got.ObjectParts
			require.LessOrEqual(t, len(parts.Parts), int(pageSize))
			require.Equal(t, pageSize, *parts.MaxParts)

			// The response repeats the marker of the request, which is 0 for the first page.
			require.Equal(t, aws.ToString(parts.PartNumberMarker),
				cmp.Or(aws.ToString(input.PartNumberMarker), "0"))

			all = append(all, parts.Parts...)
			if !*parts.IsTruncated {
				break
			}
			input.PartNumberMarker = parts.NextPartNumberMarker
		}
		require.Len(t, all, len(contents))

		for i, part := range all {
			require.Equal(t, int32(i+1), *part.PartNumber)
			require.Equal(t, int64(len(contents[i])), *part.Size)
			require.Equal(t, crc32c(contents[i]), *part.ChecksumCRC32C)
		}
	}

	// A page of 0 parts says that nothing follows.
	input := attributesInput("composite")
	input.MaxParts = aws.Int32(0)
	got, err = s.GetObjectAttributes(t.Context(), input)
	require.NoError(t, err)
	require.False(t, *got.ObjectParts.IsTruncated)

	// S3 does not list the parts of an object that has a checksum of the whole.
	s.uploadInParts(t, "full", fullCRC32C, contents...)
	got, err = s.GetObjectAttributes(t.Context(), attributesInput("full"))
	require.NoError(t, err)
	require.Equal(t, int32(4), *got.ObjectParts.TotalPartsCount)
	require.Empty(t, got.ObjectParts.Parts)
	require.Nil(t, got.ObjectParts.IsTruncated)
}

// GetObjectAttributes returns the attributes of any version of an object, but fails for a delete marker.
func TestAttributesOfVersion(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.setVersioning(t, types.BucketVersioningStatusEnabled)
	first, err := s.PutObject(t.Context(), putInput("k", "first"))
	require.NoError(t, err)
	s.put(t, "k", "the second")

	// The older version has its own size, the 5 bytes of "first".
	input := attributesInput("k")
	input.VersionId = first.VersionId
	got, err := s.GetObjectAttributes(t.Context(), input)
	require.NoError(t, err)
	require.Equal(t, int64(5), *got.ObjectSize)
	require.Equal(t, first.VersionId, got.VersionId)

	// A delete marker has no attributes. If the request names no version, the object counts as
	// missing.
	marker, err := s.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: input.Bucket, Key: input.Key})
	require.NoError(t, err)
	header := map[string]string{"X-Amz-Object-Attributes": "ETag"}
	response, body := s.sendSigned(t, "GET", "/photos/k?attributes", "", header)
	require.Equal(t, http.StatusNotFound, response.StatusCode)
	require.Equal(t, "NoSuchKey", parseError(t, body).Code)
	require.Equal(t, "true", response.Header.Get("X-Amz-Delete-Marker"))

	// If the request names the version, the server finds the delete marker, but does not allow GET
	// for it.
	response, body = s.sendSigned(t, "GET", "/photos/k?attributes&versionId="+*marker.VersionId, "", header)
	require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
	require.Equal(t, "MethodNotAllowed", parseError(t, body).Code)
	require.Equal(t, "true", response.Header.Get("X-Amz-Delete-Marker"))
}

// GetObjectAttributes fails for a missing object, for an encrypted object without its customer key, and if no known
// attribute is requested.
func TestAttributesRefused(t *testing.T) {
	s := startTLS(t, s3server.Config{})
	key := newCustomerKey('a')
	_, err := s.PutObject(t.Context(), key.put("hello"))
	require.NoError(t, err)

	t.Run("customer key", func(t *testing.T) {
		input := attributesInput("k")
		_, err := s.GetObjectAttributes(t.Context(), input)
		requireFailure(t, err, http.StatusBadRequest, "InvalidRequest")

		// With the customer key, the same request succeeds.
		input.SSECustomerAlgorithm = key.algorithm
		input.SSECustomerKey = key.key
		input.SSECustomerKeyMD5 = key.md5
		_, err = s.GetObjectAttributes(t.Context(), input)
		require.NoError(t, err)
	})

	names := []struct{ name, header, wantCode string }{
		{name: "no attribute", header: "", wantCode: "InvalidRequest"},
		{name: "unknown attribute", header: "ETag,Color", wantCode: "InvalidArgument"},
	}
	for _, tt := range names {
		t.Run(tt.name, func(t *testing.T) {
			response, body := s.sendSigned(t, "GET", "/photos/k?attributes", "", map[string]string{
				"X-Amz-Object-Attributes": tt.header,
			})
			require.Equal(t, http.StatusBadRequest, response.StatusCode)
			require.Equal(t, tt.wantCode, parseError(t, body).Code)
		})
	}

	t.Run("missing object", func(t *testing.T) {
		_, err := s.GetObjectAttributes(t.Context(), attributesInput("none"))
		requireFailure(t, err, http.StatusNotFound, "NoSuchKey")
	})
}
