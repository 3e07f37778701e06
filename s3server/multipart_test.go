package s3server_test

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// crc32c returns the checksum of data as S3 writes it.
func crc32c(data string) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil,
		crc32.Checksum([]byte(data), crc32.MakeTable(crc32.Castagnoli))))
}

// beginUpload begins an upload to key. change may change the request.
func (s *store) beginUpload(t *testing.T, key string, change ...func(*s3.CreateMultipartUploadInput)) string {
	t.Helper()
	input := &s3.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: &key}
	for _, c := range change {
		c(input)
	}
	output, err := s.CreateMultipartUpload(t.Context(), input)
	require.NoError(t, err)
	return *output.UploadId
}

// fullCRC32C asks for a checksum of the whole object.
func fullCRC32C(input *s3.CreateMultipartUploadInput) {
	input.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32c
	input.ChecksumType = types.ChecksumTypeFullObject
}

// compositeCRC32C asks for a checksum of the parts' checksums.
func compositeCRC32C(input *s3.CreateMultipartUploadInput) {
	input.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32c
}

// uploadPart uploads a part.
func (s *store) uploadPart(
	t *testing.T, key, upload string, number int32, content string, change ...func(*s3.UploadPartInput),
) types.CompletedPart {
	t.Helper()
	input := &s3.UploadPartInput{
		Bucket:     aws.String(bucket),
		Key:        &key,
		UploadId:   &upload,
		PartNumber: &number,
		Body:       strings.NewReader(content),
	}
	for _, c := range change {
		c(input)
	}
	output, err := s.UploadPart(t.Context(), input)
	require.NoError(t, err)
	return types.CompletedPart{PartNumber: &number, ETag: output.ETag, ChecksumCRC32C: output.ChecksumCRC32C}
}

// withCRC32C lets the SDK send a checksum with the part.
func withCRC32C(input *s3.UploadPartInput) { input.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32c }

// completeInput returns the input that completes an upload with these parts.
func completeInput(key, upload string, parts ...types.CompletedPart) *s3.CompleteMultipartUploadInput {
	return &s3.CompleteMultipartUploadInput{
		Bucket:          aws.String(bucket),
		Key:             &key,
		UploadId:        &upload,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	}
}

// CompleteMultipartUpload makes an object of the latest part of each number, and ends the upload.
func TestMultipartUpload(t *testing.T) {
	s := startServer(t, s3server.Config{}, func(o *s3.Options) {
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	})
	upload := s.beginUpload(t, "k", func(input *s3.CreateMultipartUploadInput) {
		input.ContentType = aws.String("text/plain")
		input.Metadata = map[string]string{"a": "b"}
	})

	// The client may send parts in any order. If it sends several parts with a number, the last one
	// counts.
	s.uploadPart(t, "k", upload, 2, "replaced")
	second := s.uploadPart(t, "k", upload, 2, "world")
	first := s.uploadPart(t, "k", upload, 1, "hello, all ")

	require.Empty(t, s.keys(t))

	output, err := s.CompleteMultipartUpload(t.Context(), completeInput("k", upload, first, second))
	require.NoError(t, err)

	// The entity tag is the MD5 of the MD5s of the parts.
	sumOfFirst := md5.Sum([]byte("hello, all "))
	sumOfSecond := md5.Sum([]byte("world"))
	sum := md5.Sum(append(sumOfFirst[:], sumOfSecond[:]...))
	require.Equal(t, `"`+hex.EncodeToString(sum[:])+`-2"`, *output.ETag)
	require.Equal(t, types.ChecksumTypeFullObject, output.ChecksumType)

	got, err := s.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
		Range:  aws.String("bytes=7-12"),
	})
	require.NoError(t, err)
	require.Equal(t, "all wo", readBody(t, got.Body))
	require.Equal(t, "text/plain", *got.ContentType)
	require.Equal(t, map[string]string{"a": "b"}, got.Metadata)

	// The upload has ended.
	_, err = s.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{
		Bucket:   aws.String(bucket),
		Key:      aws.String("k"),
		UploadId: &upload,
	})
	requireFailure(t, err, 404, "NoSuchUpload")
}

// CompleteMultipartUpload fails if its list of parts, its checksums or its conditions do not match.
// The object that exists stays.
func TestCompleteRefuses(t *testing.T) {
	const (
		firstContent = "0123456789"
		lastContent  = "the last"
		content      = firstContent + lastContent
	)

	tests := []struct {
		name       string
		change     func(*s3.CompleteMultipartUploadInput) // of the valid completion
		addsThird  bool                                   // true if the completion also has the third part
		wantStatus int
		wantCode   string // "" if the completion succeeds
	}{
		{name: "valid completion"},
		{
			name: "parts missing",
			change: func(input *s3.CompleteMultipartUploadInput) {
				input.MultipartUpload.Parts = nil
			},
			wantStatus: 400,
			wantCode:   "MalformedXML",
		},
		{
			name: "body missing",
			change: func(input *s3.CompleteMultipartUploadInput) {
				input.MultipartUpload = nil
			},
			wantStatus: 400,
			wantCode:   "InvalidRequest",
		},
		{
			name: "part without an entity tag",
			change: func(input *s3.CompleteMultipartUploadInput) {
				input.MultipartUpload.Parts[0].ETag = nil
			},
			wantStatus: 400,
			wantCode:   "MalformedXML",
		},
		{
			name: "part without a number",
			change: func(input *s3.CompleteMultipartUploadInput) {
				input.MultipartUpload.Parts[0].PartNumber = nil
			},
			wantStatus: 400,
			wantCode:   "MalformedXML",
		},
		{
			name: "part number 0",
			change: func(input *s3.CompleteMultipartUploadInput) {
				input.MultipartUpload.Parts[0].PartNumber = aws.Int32(0)
			},
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name: "part number negative",
			change: func(input *s3.CompleteMultipartUploadInput) {
				input.MultipartUpload.Parts[1].PartNumber = aws.Int32(-1)
			},
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name: "parts in wrong order",
			change: func(input *s3.CompleteMultipartUploadInput) {
				p := input.MultipartUpload.Parts
				p[0], p[1] = p[1], p[0]
			},
			wantStatus: 400,
			wantCode:   "InvalidPartOrder",
		},
		{
			name: "part given twice",
			change: func(input *s3.CompleteMultipartUploadInput) {
				input.MultipartUpload.Parts[1] = input.MultipartUpload.Parts[0]
			},
			wantStatus: 400,
			wantCode:   "InvalidPartOrder",
		},
		{
			name: "part that was not uploaded",
			change: func(input *s3.CompleteMultipartUploadInput) {
				input.MultipartUpload.Parts[1].PartNumber = aws.Int32(9)
			},
			wantStatus: 400,
			wantCode:   "InvalidPart",
		},
		{
			name: "wrong entity tag of a part",
			change: func(input *s3.CompleteMultipartUploadInput) {
				input.MultipartUpload.Parts[0].ETag = aws.String(`"x"`)
			},
			wantStatus: 400,
			wantCode:   "InvalidPart",
		},
		{
			name: "wrong checksum of a part",
			change: func(input *s3.CompleteMultipartUploadInput) {
				input.MultipartUpload.Parts[0].ChecksumCRC32C = aws.String("AAAAAA==")
			},
			wantStatus: 400,
			wantCode:   "InvalidPart",
		},
		{
			name:       "part before the last too small",
			addsThird:  true,
			wantStatus: 400,
			wantCode:   "EntityTooSmall",
		},
		{
			name: "wrong size of the object",
			change: func(input *s3.CompleteMultipartUploadInput) {
				input.MpuObjectSize = aws.Int64(int64(len(content)) - 1)
			},
			wantStatus: 400,
			wantCode:   "InvalidRequest",
		},
		{
			name: "right size of the object",
			change: func(input *s3.CompleteMultipartUploadInput) {
				input.MpuObjectSize = aws.Int64(int64(len(content)))
			},
		},
		{
			name: "wrong checksum of the object",
			change: func(input *s3.CompleteMultipartUploadInput) {
				input.ChecksumCRC32C = aws.String("AAAAAA==")
			},
			wantStatus: 400,
			wantCode:   "BadDigest",
		},
		{
			name: "right checksum of the object",
			change: func(input *s3.CompleteMultipartUploadInput) {
				input.ChecksumCRC32C = aws.String(crc32c(content))
			},
		},
		{
			name: "checksum of another algorithm",
			change: func(input *s3.CompleteMultipartUploadInput) {
				input.ChecksumCRC32 = aws.String("AAAAAA==")
			},
			wantStatus: 400,
			wantCode:   "BadDigest",
		},
		{
			name: "other checksum type than that of the upload",
			change: func(input *s3.CompleteMultipartUploadInput) {
				input.ChecksumType = types.ChecksumTypeComposite
			},
			wantStatus: 400,
			wantCode:   "BadDigest",
		},
		{
			name: "condition: no object exists",
			change: func(input *s3.CompleteMultipartUploadInput) {
				input.IfNoneMatch = aws.String("*")
			},
			wantStatus: 412,
			wantCode:   "PreconditionFailed",
		},
		{
			name: "condition: another entity tag",
			change: func(input *s3.CompleteMultipartUploadInput) {
				input.IfMatch = aws.String(`"x"`)
			},
			wantStatus: 412,
			wantCode:   "PreconditionFailed",
		},
		{
			name: "condition: an object exists",
			change: func(input *s3.CompleteMultipartUploadInput) {
				input.IfMatch = aws.String("*")
			},
		},
		{
			name: "unknown upload ID",
			change: func(input *s3.CompleteMultipartUploadInput) {
				input.UploadId = aws.String("x")
			},
			wantStatus: 404,
			wantCode:   "NoSuchUpload",
		},
		{
			name: "key of another object",
			change: func(input *s3.CompleteMultipartUploadInput) {
				input.Key = aws.String("other")
			},
			wantStatus: 404,
			wantCode:   "NoSuchUpload",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The object exists, and an upload has three parts. The second part is so small that it must be the last.
			s := startServer(t, s3server.Config{})
			s.put(t, "k", "old")
			upload := s.beginUpload(t, "k", fullCRC32C)
			first := s.uploadPart(t, "k", upload, 1, firstContent, withCRC32C)
			second := s.uploadPart(t, "k", upload, 2, lastContent, withCRC32C)
			third := s.uploadPart(t, "k", upload, 3, "more", withCRC32C)

			// The completion is valid until the case changes it or adds the third part.
			input := completeInput("k", upload, first, second)
			if tt.change != nil {
				tt.change(input)
			}
			if tt.addsThird {
				input.MultipartUpload.Parts = append(input.MultipartUpload.Parts, third)
			}

			_, err := s.CompleteMultipartUpload(t.Context(), input)

			if tt.wantCode == "" {
				require.NoError(t, err)
				require.Equal(t, content, s.get(t, "k"))
				return
			}

			requireFailure(t, err, tt.wantStatus, tt.wantCode)
			require.Equal(t, "old", s.get(t, "k"))
		})
	}
}

// The server verifies the checksums of parts, and returns the checksum of the object that they make.
func TestChecksumsOfParts(t *testing.T) {
	s := startServer(t, s3server.Config{})

	// A full checksum is that of the parts' joined content.
	upload := s.beginUpload(t, "full", fullCRC32C)
	input := completeInput("full", upload,
		s.uploadPart(t, "full", upload, 1, "0123456789", withCRC32C),
		s.uploadPart(t, "full", upload, 2, "last", withCRC32C),
	)
	input.ChecksumCRC32C = aws.String(crc32c("0123456789last"))
	input.ChecksumType = types.ChecksumTypeFullObject
	output, err := s.CompleteMultipartUpload(t.Context(), input)
	require.NoError(t, err)
	require.Equal(t, crc32c("0123456789last"), *output.ChecksumCRC32C)

	// A composite checksum ends with the number of parts.
	upload = s.beginUpload(t, "composite", compositeCRC32C)
	parts := []types.CompletedPart{
		s.uploadPart(t, "composite", upload, 1, "0123456789", withCRC32C),
		s.uploadPart(t, "composite", upload, 2, "last", withCRC32C),
	}
	output, err = s.CompleteMultipartUpload(t.Context(), completeInput("composite", upload, parts...))
	require.NoError(t, err)
	require.Equal(t, types.ChecksumTypeComposite, output.ChecksumType)
	require.True(t, strings.HasSuffix(*output.ChecksumCRC32C, "-2"))

	// A part must have a checksum of the upload's kind.
	upload = s.beginUpload(t, "composite", compositeCRC32C)
	part := s.uploadPart(t, "composite", upload, 1, "0123456789", withCRC32C)
	part.ChecksumCRC32C = nil
	_, err = s.CompleteMultipartUpload(t.Context(), completeInput("composite", upload, part))
	requireFailure(t, err, 400, "InvalidRequest")
	_, err = s.UploadPart(t.Context(), &s3.UploadPartInput{
		Bucket:            aws.String(bucket),
		Key:               aws.String("composite"),
		UploadId:          &upload,
		PartNumber:        aws.Int32(1),
		Body:              strings.NewReader("x"),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	})
	requireFailure(t, err, 400, "InvalidRequest")

	// SHA-256 cannot be a checksum of the whole object.
	_, err = s.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
		Bucket:            aws.String(bucket),
		Key:               aws.String("k"),
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
		ChecksumType:      types.ChecksumTypeFullObject,
	})
	requireFailure(t, err, 400, "InvalidRequest")
}

// The response to a range has a checksum only if the range is the whole object or one part.
func TestChecksumsOfRanges(t *testing.T) {
	s := startServer(t, s3server.Config{}, func(o *s3.Options) {
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
	create := func(key string, setChecksum func(*s3.CreateMultipartUploadInput)) string {
		upload := s.beginUpload(t, key, setChecksum)
		parts := []types.CompletedPart{
			s.uploadPart(t, key, upload, 1, "0123456789", withCRC32C),
			s.uploadPart(t, key, upload, 2, "last", withCRC32C),
		}
		output, err := s.CompleteMultipartUpload(t.Context(), completeInput(key, upload, parts...))
		require.NoError(t, err)
		return *output.ChecksumCRC32C
	}
	full := create("full", fullCRC32C)
	composite := create("composite", compositeCRC32C)

	tests := []struct {
		name      string
		key, span string
		want      string // the checksum, if any
	}{
		{name: "whole", key: "full", want: full},
		{name: "a range", key: "full", span: "bytes=1-3"},
		{name: "a range of all", key: "full", span: "bytes=0-", want: full},
		{name: "a range that is a part", key: "full", span: "bytes=0-9", want: crc32c("0123456789")},
		{name: "whole, composite", key: "composite", want: composite},
		{
			name: "a range of all, composite",
			key:  "composite",
			span: "bytes=0-13",
			want: strings.TrimSuffix(composite, "-2"),
		},
		{name: "the last bytes, which are a part", key: "composite", span: "bytes=-4", want: crc32c("last")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			input := &s3.GetObjectInput{
				Bucket:       aws.String(bucket),
				Key:          &tt.key,
				ChecksumMode: types.ChecksumModeEnabled,
			}
			if tt.span != "" {
				input.Range = &tt.span
			}
			output, err := s.GetObject(t.Context(), input)
			require.NoError(t, err)
			require.Equal(t, tt.want, aws.ToString(output.ChecksumCRC32C))
			require.NoError(t, output.Body.Close())
		})
	}
}

// UploadPart fails if the part does not match its upload, its checksum or the limits, and stores no part.
func TestUploadPartRefused(t *testing.T) {
	s := startServer(t, s3server.Config{})
	upload := s.beginUpload(t, "k")
	tests := []struct {
		name       string
		input      s3.UploadPartInput // by default a valid part 1 of the upload
		wantStatus int
		wantCode   string
	}{
		{
			name:       "part number 0",
			input:      s3.UploadPartInput{PartNumber: aws.Int32(0)},
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "part number above the limit",
			input:      s3.UploadPartInput{PartNumber: aws.Int32(int32(small.MaxParts) + 1)},
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "unknown upload ID",
			input:      s3.UploadPartInput{UploadId: aws.String("x")},
			wantStatus: 404,
			wantCode:   "NoSuchUpload",
		},
		{
			name:       "key of another object",
			input:      s3.UploadPartInput{Key: aws.String("other")},
			wantStatus: 404,
			wantCode:   "NoSuchUpload",
		},
		{
			name:       "part too large",
			input:      s3.UploadPartInput{Body: strings.NewReader(strings.Repeat("x", int(small.MaxPartSize)+1))},
			wantStatus: 400,
			wantCode:   "EntityTooLarge",
		},
		{
			name:       "wrong checksum",
			input:      s3.UploadPartInput{ChecksumCRC32C: aws.String("AAAAAA==")},
			wantStatus: 400,
			wantCode:   "BadDigest",
		},
		{
			name:       "wrong MD5",
			input:      s3.UploadPartInput{ContentMD5: aws.String("AAAAAAAAAAAAAAAAAAAAAA==")},
			wantStatus: 400,
			wantCode:   "BadDigest",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			input := tt.input
			input.Bucket = aws.String(bucket)
			if input.Key == nil {
				input.Key = aws.String("k")
			}
			if input.UploadId == nil {
				input.UploadId = &upload
			}
			if input.PartNumber == nil {
				input.PartNumber = aws.Int32(1)
			}
			if input.Body == nil {
				input.Body = strings.NewReader("content")
			}

			_, err := s.UploadPart(t.Context(), &input)
			requireFailure(t, err, tt.wantStatus, tt.wantCode)
			parts, err := s.ListParts(t.Context(), &s3.ListPartsInput{
				Bucket:   input.Bucket,
				Key:      aws.String("k"),
				UploadId: &upload,
			})
			require.NoError(t, err)
			require.Empty(t, parts.Parts)
		})
	}
}

// ListParts returns the parts of an upload in pages, until the upload has ended.
func TestListParts(t *testing.T) {
	s := startServer(t, s3server.Config{})
	upload := s.beginUpload(t, "k")
	for number := range int32(5) {
		s.uploadPart(t, "k", upload, number+1, "x")
	}

	var numbers []int32
	pages := s3.NewListPartsPaginator(s.Client, &s3.ListPartsInput{
		Bucket:   aws.String(bucket),
		Key:      aws.String("k"),
		UploadId: &upload,
		MaxParts: aws.Int32(2),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		for _, p := range page.Parts {
			numbers = append(numbers, *p.PartNumber)
			require.Equal(t, int64(1), *p.Size)
		}
	}
	require.Equal(t, []int32{1, 2, 3, 4, 5}, numbers)

	// An empty page says that no page follows. Otherwise, a client would ask for pages without end.
	empty, err := s.ListParts(t.Context(), &s3.ListPartsInput{
		Bucket:   aws.String(bucket),
		Key:      aws.String("k"),
		UploadId: &upload,
		MaxParts: aws.Int32(0),
	})
	require.NoError(t, err)
	require.False(t, *empty.IsTruncated)

	// After the upload has ended, there is nothing to list.
	s.abort(t, "k", upload)
	_, err = s.ListParts(t.Context(), &s3.ListPartsInput{
		Bucket:   aws.String(bucket),
		Key:      aws.String("k"),
		UploadId: &upload,
	})
	requireFailure(t, err, 404, "NoSuchUpload")
}

// ListMultipartUploads returns the uploads in progress in the order of their keys, in pages.
func TestListUploads(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.beginUpload(t, "a/1")
	s.beginUpload(t, "a/2")
	olderB := s.beginUpload(t, "b")
	newerB := s.beginUpload(t, "b")
	s.beginUpload(t, "c d")

	var keys []string
	pages := s3.NewListMultipartUploadsPaginator(s.Client, &s3.ListMultipartUploadsInput{
		Bucket:       aws.String(bucket),
		MaxUploads:   aws.Int32(1),
		EncodingType: types.EncodingTypeUrl,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		for _, u := range page.Uploads {
			keys = append(keys, *u.Key)
		}
	}
	require.Equal(t, []string{"a/1", "a/2", "b", "b", "c+d"}, keys)

	// With a delimiter, the uploads of "a/1" and "a/2" are one common prefix.
	grouped, err := s.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{
		Bucket:    aws.String(bucket),
		Delimiter: aws.String("/"),
	})
	require.NoError(t, err)
	require.Len(t, grouped.CommonPrefixes, 1)
	require.Len(t, grouped.Uploads, 3)

	// An empty page says that no page follows. Otherwise, a client would ask for pages without end.
	empty, err := s.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{
		Bucket:     aws.String(bucket),
		MaxUploads: aws.Int32(0),
	})
	require.NoError(t, err)
	require.False(t, *empty.IsTruncated)

	// A page can begin after an upload that has ended meanwhile.
	s.abort(t, "b", olderB)
	rest, err := s.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{
		Bucket:         aws.String(bucket),
		KeyMarker:      aws.String("b"),
		UploadIdMarker: &olderB,
	})
	require.NoError(t, err)
	require.Len(t, rest.Uploads, 2)
	require.Equal(t, newerB, *rest.Uploads[0].UploadId)
}

// Part numbers may have gaps in an upload whose parts have no checksums. If the parts have checksums, only a lenient
// server accepts gaps.
func TestUploadPartWithChecksumHasAnyNumber(t *testing.T) {
	completeWithGap := func(s *store) error {
		upload := s.beginUpload(t, "k", compositeCRC32C)
		first := s.uploadPart(t, "k", upload, 1, "0123456789", withCRC32C)
		third := s.uploadPart(t, "k", upload, 3, "last", withCRC32C)
		_, err := s.CompleteMultipartUpload(t.Context(), completeInput("k", upload, first, third))
		return err
	}

	// With checksums, only a lenient server accepts that part 2 is missing. The servers of startServer are strict.
	strict := startServer(t, s3server.Config{})
	requireFailure(t, completeWithGap(strict), 400, "InvalidPartOrder")
	lenient := startLenient(t, s3server.Config{})
	require.NoError(t, completeWithGap(lenient))

	// Without checksums, a strict server accepts that parts 1, 3 and 4 are missing.
	s := startServer(t, s3server.Config{}, func(o *s3.Options) {
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	})
	upload := s.beginUpload(t, "k")
	second := s.uploadPart(t, "k", upload, 2, "0123456789")
	fifth := s.uploadPart(t, "k", upload, 5, "last")
	_, err := s.CompleteMultipartUpload(t.Context(), completeInput("k", upload, second, fifth))
	require.NoError(t, err)

	// A read counts the parts that exist, so its part 2 is the one that was sent as part 5.
	output, err := s.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket:     aws.String(bucket),
		Key:        aws.String("k"),
		PartNumber: aws.Int32(2),
	})
	require.NoError(t, err)
	require.Equal(t, "last", readBody(t, output.Body))
}

// If an upload names no checksum algorithm, the object gets the default checksum of its bytes. The
// checksums of the parts make no difference.
func TestChecksumOfUploadWithoutAlgorithm(t *testing.T) {
	s := startServer(t, s3server.Config{}, func(o *s3.Options) {
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	})
	input := putInput("whole", "0123456789last")
	input.ChecksumAlgorithm = types.ChecksumAlgorithmCrc64nvme
	want, err := s.PutObject(t.Context(), input)
	require.NoError(t, err)

	// The checksum of the upload must be that of a PutObject with the same bytes.
	algorithmsOfParts := []types.ChecksumAlgorithm{
		"",
		types.ChecksumAlgorithmCrc32,
		types.ChecksumAlgorithmSha1,
		types.ChecksumAlgorithmCrc64nvme,
	}
	for _, algorithm := range algorithmsOfParts {
		t.Run(string(algorithm), func(t *testing.T) {
			setAlgorithm := func(input *s3.UploadPartInput) {
				input.ChecksumAlgorithm = algorithm
			}
			upload := s.beginUpload(t, "k")
			first := s.uploadPart(t, "k", upload, 1, "0123456789", setAlgorithm)
			last := s.uploadPart(t, "k", upload, 2, "last", setAlgorithm)

			output, err := s.CompleteMultipartUpload(t.Context(), completeInput("k", upload, first, last))
			require.NoError(t, err)
			require.Equal(t, want.ChecksumCRC64NVME, output.ChecksumCRC64NVME)
			require.Equal(t, "0123456789last", s.get(t, "k"))
		})
	}
}
