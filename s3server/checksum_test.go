package s3server_test

import (
	"crypto/md5"
	"crypto/sha512"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// sumSHA512 returns the SHA-512 of data as S3 writes it.
func sumSHA512(data string) *string {
	sum := sha512.Sum512([]byte(data))
	return aws.String(base64.StdEncoding.EncodeToString(sum[:]))
}

// sumMD5 returns the MD5 of data as S3 writes it.
func sumMD5(data string) *string {
	sum := md5.Sum([]byte(data))
	return aws.String(base64.StdEncoding.EncodeToString(sum[:]))
}

// The server verifies checksums of SHA512 and MD5. Those of XXHASH64, XXHASH3 and XXHASH128 fail with
// NotImplemented.
func TestChecksumsOf2026(t *testing.T) {
	s := startServer(t, s3server.Config{})
	tests := []struct {
		name          string
		header, value string
		wantStatus    int
		wantCode      string
	}{
		{name: "SHA512", header: "x-amz-checksum-sha512", value: *sumSHA512("hello"), wantStatus: 200},
		{
			name:       "wrong SHA512",
			header:     "x-amz-checksum-sha512",
			value:      *sumSHA512("other"),
			wantStatus: 400,
			wantCode:   "BadDigest",
		},
		{
			name:       "SHA512 too long",
			header:     "x-amz-checksum-sha512",
			value:      *sumSHA512("hello") + "AAAA",
			wantStatus: 400,
			wantCode:   "InvalidRequest",
		},
		{name: "MD5", header: "x-amz-checksum-md5", value: *sumMD5("hello"), wantStatus: 200},
		{
			name:       "wrong MD5",
			header:     "x-amz-checksum-md5",
			value:      *sumMD5("other"),
			wantStatus: 400,
			wantCode:   "BadDigest",
		},
		{
			name:       "XXHASH64",
			header:     "x-amz-checksum-xxhash64",
			value:      "AAAAAAAAAAA=",
			wantStatus: 501,
			wantCode:   "NotImplemented",
		},
		{
			name:       "XXHASH3",
			header:     "x-amz-checksum-xxhash3",
			value:      "AAAAAAAAAAA=",
			wantStatus: 501,
			wantCode:   "NotImplemented",
		},
		{
			name:       "XXHASH128",
			header:     "x-amz-checksum-xxhash128",
			value:      "AAAAAAAAAAAAAAAAAAAAAA==",
			wantStatus: 501,
			wantCode:   "NotImplemented",
		},
		{
			name:       "unknown algorithm",
			header:     "x-amz-checksum-crc8",
			value:      "AA==",
			wantStatus: 400,
			wantCode:   "InvalidRequest",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key := strings.NewReplacer(",", "", " ", "-").Replace(tt.name)
			response, body := s.sendSigned(t, "PUT", "/photos/"+key, "hello", map[string]string{
				tt.header: tt.value,
			})
			require.Equal(t, tt.wantStatus, response.StatusCode, body)

			// The write and a read both return a right checksum.
			if tt.wantCode == "" {
				require.Equal(t, tt.value, response.Header.Get(tt.header))
				require.Equal(t, "FULL_OBJECT", response.Header.Get("X-Amz-Checksum-Type"))
				head, _ := s.sendSigned(t, "HEAD", "/photos/"+key, "", map[string]string{
					"X-Amz-Checksum-Mode": "ENABLED",
				})
				require.Equal(t, tt.value, head.Header.Get(tt.header))
				return
			}
			require.Equal(t, tt.wantCode, parseError(t, body).Code)
			require.NotContains(t, s.keys(t), key)

			// The server refuses the same checksum in a trailer, too.
			trailer := "5\r\nhello\r\n0\r\n" + tt.header + ":" + tt.value + "\r\n\r\n"
			response, body = s.sendSigned(t, "PUT", "/photos/"+key, trailer, map[string]string{
				"X-Amz-Content-Sha256":         "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
				"X-Amz-Trailer":                tt.header,
				"X-Amz-Decoded-Content-Length": "5",
			})
			require.Equal(t, tt.wantStatus, response.StatusCode, body)
			require.Equal(t, tt.wantCode, parseError(t, body).Code, body)
			require.NotContains(t, s.keys(t), key)
		})
	}
}

// The server refuses a chunked body with a trailer that is no checksum, or with two trailers.
func TestTrailersRefused(t *testing.T) {
	const crc32 = "NhCmhg==" // of "hello"
	s := startServer(t, s3server.Config{})
	tests := []struct {
		name     string
		declared string // the header X-Amz-Trailer
		trailers string
	}{
		{name: "metadata", declared: "x-amz-meta-a", trailers: "x-amz-meta-a:b\r\n"},
		{
			name:     "two checksums",
			declared: "x-amz-checksum-crc32c,x-amz-checksum-crc32",
			trailers: "x-amz-checksum-crc32c:" + crc32c("hello") + "\r\nx-amz-checksum-crc32:" + crc32 + "\r\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The body has one chunk of 5 bytes, the last chunk and the trailers.
			body := "5\r\nhello\r\n0\r\n" + tt.trailers + "\r\n"
			response, text := s.sendSigned(t, "PUT", "/photos/k", body, map[string]string{
				"X-Amz-Content-Sha256":         "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
				"X-Amz-Trailer":                tt.declared,
				"X-Amz-Decoded-Content-Length": "5",
			})

			require.Equal(t, http.StatusBadRequest, response.StatusCode)
			require.Equal(t, "InvalidRequest", parseError(t, text).Code)
		})
	}
	require.Empty(t, s.keys(t))
}

// CreateMultipartUpload and CopyObject accept only the names of checksum algorithms that the server implements.
func TestChecksumAlgorithms(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "from", "hello")

	tests := []struct {
		name       string
		algorithms []string
		wantStatus int
	}{
		{
			name:       "known",
			algorithms: []string{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "MD5", "sha512", ""},
			wantStatus: http.StatusOK,
		},
		{
			name:       "not implemented",
			algorithms: []string{"XXHASH64", "XXHASH3", "XXHASH128"},
			wantStatus: http.StatusNotImplemented,
		},
		{name: "unknown", algorithms: []string{"CRC8"}, wantStatus: http.StatusBadRequest},
	}
	for _, tt := range tests {
		for _, algorithm := range tt.algorithms {
			t.Run(tt.name+" "+algorithm, func(t *testing.T) {
				response, body := s.sendSigned(t, "POST", "/photos/k?uploads", "", map[string]string{
					"X-Amz-Checksum-Algorithm": algorithm,
				})
				require.Equal(t, tt.wantStatus, response.StatusCode, body)

				// CopyObject has the same rule.
				response, body = s.sendSigned(t, "PUT", "/photos/copy"+algorithm, "", map[string]string{
					"X-Amz-Checksum-Algorithm": algorithm,
					"X-Amz-Copy-Source":        "photos/from",
				})
				require.Equal(t, tt.wantStatus, response.StatusCode, body)
			})
		}
	}

	// The copy has a SHA-512 checksum.
	head, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{
		Bucket:       aws.String(bucket),
		Key:          aws.String("copySHA512"),
		ChecksumMode: types.ChecksumModeEnabled,
	})
	require.NoError(t, err)
	require.Equal(t, sumSHA512("hello"), head.ChecksumSHA512)

	// The checksum mode of a read can only be ENABLED.
	response, body := s.sendSigned(t, "GET", "/photos/from", "", map[string]string{
		"X-Amz-Checksum-Mode": "MAYBE",
	})
	require.Equal(t, http.StatusBadRequest, response.StatusCode)
	require.Equal(t, "InvalidRequest", parseError(t, body).Code)
}

// A multipart upload can have SHA-512 checksums of its parts.
func TestUploadPartWithSHA512(t *testing.T) {
	s := startServer(t, s3server.Config{})
	upload := s.beginUpload(t, "k", func(input *s3.CreateMultipartUploadInput) {
		input.ChecksumAlgorithm = types.ChecksumAlgorithmSha512
	})
	contents := []string{"0123456789", "last"}

	// Upload each part with its checksum.
	var parts []types.CompletedPart
	joinedSums := "" // the checksums of the parts as bytes
	for i, content := range contents {
		number := int32(i + 1)
		output, err := s.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket:         aws.String(bucket),
			Key:            aws.String("k"),
			UploadId:       &upload,
			PartNumber:     &number,
			Body:           strings.NewReader(content),
			ChecksumSHA512: sumSHA512(content),
		})
		require.NoError(t, err)
		require.Equal(t, sumSHA512(content), output.ChecksumSHA512)

		parts = append(parts, types.CompletedPart{
			PartNumber:     &number,
			ETag:           output.ETag,
			ChecksumSHA512: output.ChecksumSHA512,
		})
		sum, err := base64.StdEncoding.DecodeString(*output.ChecksumSHA512)
		require.NoError(t, err)
		joinedSums += string(sum)
	}

	// CompleteMultipartUpload refuses a wrong checksum of a part.
	wrongParts := []types.CompletedPart{parts[0], parts[1]}
	wrongParts[1].ChecksumSHA512 = sumSHA512("other")
	_, err := s.CompleteMultipartUpload(t.Context(), completeInput("k", upload, wrongParts...))
	requireFailure(t, err, http.StatusBadRequest, "InvalidPart")

	// It also refuses a checksum of another algorithm than that of the upload.
	wrongParts[1].ChecksumSHA512 = nil
	wrongParts[1].ChecksumXXHASH3 = aws.String("AAAAAAAAAAA=")
	_, err = s.CompleteMultipartUpload(t.Context(), completeInput("k", upload, wrongParts...))
	requireFailure(t, err, http.StatusBadRequest, "InvalidPart")

	// The checksum of the object is the checksum of its parts' joined checksums.
	output, err := s.CompleteMultipartUpload(t.Context(), completeInput("k", upload, parts...))
	require.NoError(t, err)
	require.Equal(t, *sumSHA512(joinedSums)+"-"+strconv.Itoa(len(parts)), *output.ChecksumSHA512)
	require.Equal(t, types.ChecksumTypeComposite, output.ChecksumType)

	// No upload can have an MD5 checksum of the whole object.
	_, err = s.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
		Bucket:            aws.String(bucket),
		Key:               aws.String("k"),
		ChecksumAlgorithm: types.ChecksumAlgorithmMd5,
		ChecksumType:      types.ChecksumTypeFullObject,
	})
	requireFailure(t, err, http.StatusBadRequest, "InvalidRequest")
}
