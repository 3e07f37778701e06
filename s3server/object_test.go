package s3server_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// everyKey lists keys that S3 stores and other stores may refuse.
var everyKey = []string{
	"a", "a/b", "a-b", "a0", "A", "with space", "plus+sign", "per%cent", "per%25cent", "what?", "hash#", "é", "😀.png",
	"a&b=c;d", "quote\"'<>", "trailing/", "a//b", "/leading", strings.Repeat("s",
		300), strings.Repeat("k", 1024), "a\x01b", "a~b", "*", "(1)",
}

// GetObject returns the content of an object of any key.
func TestPutObjectEachKey(t *testing.T) {
	s := startServer(t, s3server.Config{})
	for _, key := range everyKey {
		s.put(t, key, "content of "+key)
	}
	for _, key := range everyKey {
		require.Equal(t, "content of "+key, s.get(t, key), "%q", key)
	}
}

// As S3 does, the server refuses a key that is too long, is not UTF-8, or leads above the bucket.
func TestPutObjectRefusesKeys(t *testing.T) {
	s := startServer(t, s3server.Config{})
	const maxKey = 1024
	tests := []struct{ key, wantCode string }{
		{key: strings.Repeat("k", maxKey+1), wantCode: "KeyTooLongError"},
		{key: "../up", wantCode: "InvalidURI"},
		{key: "a/../../up", wantCode: "InvalidURI"},
		{key: "not\xffutf8", wantCode: "InvalidURI"},
	}
	for _, tt := range tests {
		_, err := s.PutObject(t.Context(), putInput(tt.key, ""))
		requireFailure(t, err, 400, tt.wantCode)
	}

	// A key may have ".." if it does not lead above the bucket.
	s.put(t, "a/../b", "")
	require.Equal(t, []string{"a/../b"}, s.keys(t))
}

// HeadObject returns the attributes with which an object was written.
func TestGetObjectReturnsWrite(t *testing.T) {
	s := startServer(t, s3server.Config{})
	input := putInput("k", "hello")
	input.ContentType = aws.String("text/plain")
	input.CacheControl = aws.String("no-cache")
	input.ContentEncoding = aws.String("gzip")
	input.ContentDisposition = aws.String("inline")
	input.ContentLanguage = aws.String("de")
	input.Metadata = map[string]string{"one": "1", "umlaut": "ä"}
	input.StorageClass = types.StorageClassStandardIa

	put, err := s.PutObject(t.Context(), input)
	require.NoError(t, err)
	require.Equal(t, `"5d41402abc4b2a76b9719d911017c592"`, *put.ETag)

	// Each attribute comes back.
	head, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: input.Bucket, Key: input.Key})
	require.NoError(t, err)
	require.Equal(t, "text/plain", *head.ContentType)
	require.Equal(t, "no-cache", *head.CacheControl)
	require.Equal(t, "gzip", *head.ContentEncoding)
	require.Equal(t, "inline", *head.ContentDisposition)
	require.Equal(t, "de", *head.ContentLanguage)
	require.Equal(t, map[string]string{
		"one":    "1",
		"umlaut": "=?UTF-8?b?w6Q=?=",
	}, head.Metadata, "a value that is not ASCII is returned encoded")
	require.Equal(t, types.StorageClassStandardIa, head.StorageClass)
	require.Equal(t, int64(5), *head.ContentLength)
	require.Equal(t, put.ETag, head.ETag)
	require.WithinDuration(t, time.Now(), *head.LastModified, time.Minute)
	require.Nil(t, head.VersionId)
}

// PutObject refuses an object with too many bytes of content or metadata, or with an unknown storage class.
func TestPutObjectLimits(t *testing.T) {
	const (
		metadataKey = "long"
		maxMetadata = 2048 // with the key
	)
	s := startServer(t, s3server.Config{})

	// The metadata may have 2048 bytes, but not one more.
	input := putInput("k", "")
	maxValue := maxMetadata - len(metadataKey)
	input.Metadata = map[string]string{metadataKey: strings.Repeat("x", maxValue+1)}
	_, err := s.PutObject(t.Context(), input)
	requireFailure(t, err, 400, "MetadataTooLarge")
	input.Metadata = map[string]string{metadataKey: strings.Repeat("x", maxValue)}
	_, err = s.PutObject(t.Context(), input)
	require.NoError(t, err)

	tooLong := strings.Repeat("x", int(small.MaxPutSize)+1)
	_, err = s.PutObject(t.Context(), putInput("k", tooLong))
	requireFailure(t, err, 400, "EntityTooLarge")

	input = putInput("k", "")
	input.StorageClass = "CUPBOARD"
	_, err = s.PutObject(t.Context(), input)
	requireFailure(t, err, 400, "InvalidStorageClass")
}

// PutObject with If-Match or If-None-Match succeeds only if the condition holds, and otherwise changes nothing.
func TestConditionsOfPut(t *testing.T) {
	const currentETag = "ETAG" // stands for the entity tag of the object old
	tests := []struct {
		name        string
		key         string
		ifNoneMatch string
		ifMatch     string
		wantStatus  int
		wantCode    string
	}{
		{name: "create, object missing", key: "new", ifNoneMatch: "*"},
		{name: "create, object exists", key: "old", ifNoneMatch: "*", wantStatus: 412, wantCode: "PreconditionFailed"},
		{
			name:        "If-None-Match with an entity tag",
			key:         "old",
			ifNoneMatch: `"x"`,
			wantStatus:  501,
			wantCode:    "NotImplemented",
		},
		{name: "update, entity tag matches", key: "old", ifMatch: currentETag},
		{name: "update, other entity tag", key: "old", ifMatch: `"x"`, wantStatus: 412, wantCode: "PreconditionFailed"},
		{name: "update, object missing", key: "new", ifMatch: `"x"`, wantStatus: 404, wantCode: "NoSuchKey"},
		{name: "update any object", key: "old", ifMatch: "*"},
		{name: "update any object, object missing", key: "new", ifMatch: "*", wantStatus: 404, wantCode: "NoSuchKey"},
		{
			name:        "both headers",
			key:         "old",
			ifNoneMatch: "*",
			ifMatch:     currentETag,
			wantStatus:  501,
			wantCode:    "NotImplemented",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startServer(t, s3server.Config{})
			etag := s.put(t, "old", "old")
			input := putInput(tt.key, "new")
			if tt.ifNoneMatch != "" {
				input.IfNoneMatch = &tt.ifNoneMatch
			}
			if tt.ifMatch != "" {
				input.IfMatch = &tt.ifMatch
			}
			if tt.ifMatch == currentETag {
				input.IfMatch = &etag
			}

			_, err := s.PutObject(t.Context(), input)
			if tt.wantCode == "" {
				require.NoError(t, err)
				return
			}

			// A failed condition leaves the old object.
			requireFailure(t, err, tt.wantStatus, tt.wantCode)
			require.Equal(t, "old", s.get(t, "old"))
		})
	}
}

// If many clients create an object with If-None-Match at the same time, exactly one succeeds.
func TestPutObjectByManyCreators(t *testing.T) {
	s := startServer(t, s3server.Config{})
	const clients = 16
	stored := make(chan string, clients) // contents of the requests that succeeded
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			content := strings.Repeat("x", i)
			input := putInput("k", content)
			input.IfNoneMatch = aws.String("*")
			if _, err := s.PutObject(t.Context(), input); err == nil {
				stored <- content
			}
		})
	}
	wg.Wait()

	require.Len(t, stored, 1)
	require.Equal(t, <-stored, s.get(t, "k"))
}

// GetObject applies the conditions of its headers.
func TestConditionsOfRead(t *testing.T) {
	s := startServer(t, s3server.Config{})
	etag := s.put(t, "k", "content")
	past := time.Now().Add(-time.Hour)
	future := time.Now().Add(time.Hour)

	tests := []struct {
		name       string
		input      s3.GetObjectInput // by default of the object k
		wantStatus int
		wantCode   string
	}{
		{name: "If-Match, entity tag matches", input: s3.GetObjectInput{IfMatch: &etag}},
		{
			name:       "If-Match, other entity tag",
			input:      s3.GetObjectInput{IfMatch: aws.String(`"x"`)},
			wantStatus: 412,
			wantCode:   "PreconditionFailed",
		},
		{
			name:       "If-None-Match, entity tag matches",
			input:      s3.GetObjectInput{IfNoneMatch: &etag},
			wantStatus: 304,
			wantCode:   "NotModified",
		},
		{name: "If-None-Match, other entity tag", input: s3.GetObjectInput{IfNoneMatch: aws.String(`"x"`)}},
		{name: "If-Modified-Since, modified", input: s3.GetObjectInput{IfModifiedSince: &past}},
		{
			name:       "If-Modified-Since, not modified",
			input:      s3.GetObjectInput{IfModifiedSince: &future},
			wantStatus: 304,
			wantCode:   "NotModified",
		},
		{
			name:       "If-Unmodified-Since, modified",
			input:      s3.GetObjectInput{IfUnmodifiedSince: &past},
			wantStatus: 412,
			wantCode:   "PreconditionFailed",
		},
		{
			name:  "If-Match has precedence over If-Unmodified-Since",
			input: s3.GetObjectInput{IfMatch: &etag, IfUnmodifiedSince: &past},
		},
		{
			name:       "object missing",
			input:      s3.GetObjectInput{Key: aws.String("none"), IfMatch: &etag},
			wantStatus: 404,
			wantCode:   "NoSuchKey",
		},
		{
			name:       "bucket missing",
			input:      s3.GetObjectInput{Bucket: aws.String("none")},
			wantStatus: 404,
			wantCode:   "NoSuchBucket",
		},
		{
			name:       "version missing",
			input:      s3.GetObjectInput{VersionId: aws.String(strings.Repeat("v", 32))},
			wantStatus: 404,
			wantCode:   "NoSuchVersion",
		},
		{
			name:       "version ID invalid",
			input:      s3.GetObjectInput{VersionId: aws.String("x")},
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			input := tt.input
			if input.Key == nil {
				input.Key = aws.String("k")
			}
			if input.Bucket == nil {
				input.Bucket = aws.String(bucket)
			}

			output, err := s.GetObject(t.Context(), &input)
			if tt.wantCode != "" {
				requireFailure(t, err, tt.wantStatus, tt.wantCode)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "content", readBody(t, output.Body))
		})
	}
}

// GetObject returns the bytes of the requested range.
func TestGetObjectRanges(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "k", "0123456789")
	tests := []struct {
		name             string
		span             string
		want             string
		wantContentRange string
	}{
		{name: "first and last", span: "bytes=2-4", want: "234", wantContentRange: "bytes 2-4/10"},
		{name: "first only", span: "bytes=7-", want: "789", wantContentRange: "bytes 7-9/10"},
		{name: "suffix", span: "bytes=-3", want: "789", wantContentRange: "bytes 7-9/10"},
		{name: "last past the end", span: "bytes=8-99", want: "89", wantContentRange: "bytes 8-9/10"},
		{
			name:             "last past the end, 20 digits",
			span:             "bytes=8-99999999999999999999",
			want:             "89",
			wantContentRange: "bytes 8-9/10",
		},
		{
			name:             "suffix longer than the object",
			span:             "bytes=-99",
			want:             "0123456789",
			wantContentRange: "bytes 0-9/10",
		},
		{
			name:             "suffix longer than the object, 20 digits",
			span:             "bytes=-99999999999999999999",
			want:             "0123456789",
			wantContentRange: "bytes 0-9/10",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, body := s.sendSigned(t, "GET", "/photos/k", "", map[string]string{"Range": tt.span})
			require.Equal(t, http.StatusPartialContent, response.StatusCode)
			require.Equal(t, tt.wantContentRange, response.Header.Get("Content-Range"))
			require.Equal(t, tt.want, body)
		})
	}

	t.Run("range that a presigned URL does not sign", func(t *testing.T) {
		presigned, err := s3.NewPresignClient(s.Client).PresignGetObject(t.Context(), &s3.GetObjectInput{
			Bucket: aws.String(bucket),
			Key:    aws.String("k"),
		})
		require.NoError(t, err)
		response, body := s.send(t, "GET", presigned.URL, nil, http.Header{"Range": {"bytes=2-4"}})
		require.Equal(t, http.StatusPartialContent, response.StatusCode, body)
		require.Equal(t, "234", body)
	})
}

// GetObject returns the whole object if the header Range is not a single range of bytes.
func TestGetObjectRangesIgnored(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "k", "0123456789")
	tests := []struct{ name, span string }{
		{name: "last before first", span: "bytes=5-4"},
		{name: "two ranges", span: "bytes=0-1,3-4"},
		{name: "other unit", span: "lines=0-1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, body := s.sendSigned(t, "GET", "/photos/k", "", map[string]string{"Range": tt.span})
			require.Equal(t, http.StatusOK, response.StatusCode)
			require.Empty(t, response.Header.Get("Content-Range"))
			require.Equal(t, "0123456789", body)
		})
	}
}

// GetObject fails if the object has no byte of the requested range.
func TestGetObjectRangesUnsatisfiable(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "k", "0123456789")
	s.put(t, "empty", "")
	tests := []struct {
		name             string
		key              string
		span             string
		wantContentRange string
	}{
		{name: "at the end", key: "k", span: "bytes=10-", wantContentRange: "bytes */10"},
		{name: "past the end", key: "k", span: "bytes=11-12", wantContentRange: "bytes */10"},
		{
			name:             "past the end, 20 digits",
			key:              "k",
			span:             "bytes=99999999999999999999-",
			wantContentRange: "bytes */10",
		},
		{name: "suffix of no bytes", key: "k", span: "bytes=-0", wantContentRange: "bytes */10"},
		{name: "empty object", key: "empty", span: "bytes=0-", wantContentRange: "bytes */0"},
		{name: "suffix of an empty object", key: "empty", span: "bytes=-5", wantContentRange: "bytes */0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, body := s.sendSigned(t, "GET", "/photos/"+tt.key, "", map[string]string{"Range": tt.span})
			require.Equal(t, http.StatusRequestedRangeNotSatisfiable, response.StatusCode)
			require.Equal(t, tt.wantContentRange, response.Header.Get("Content-Range"))
			require.Equal(t, "InvalidRange", parseError(t, body).Code)
		})
	}
}

// If the If-Range is the object's ETag or date, the response has only the range. Otherwise it has
// the whole object.
func TestGetObjectRangesWithIfRange(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "k", "0123456789")
	head, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	})
	require.NoError(t, err)
	etag := *head.ETag
	modified := *head.LastModified
	date := func(d time.Duration) string { return modified.Add(d).UTC().Format(http.TimeFormat) }

	tests := []struct {
		name      string
		span      string
		ifRange   string
		wantWhole bool
	}{
		{name: "entity tag matches", span: "bytes=5-", ifRange: etag},
		{name: "date matches", span: "bytes=5-", ifRange: date(0)},
		{name: "other entity tag", span: "bytes=5-", ifRange: `"another"`, wantWhole: true},
		{name: "weak entity tag", span: "bytes=5-", ifRange: "W/" + etag, wantWhole: true},
		{name: "unquoted entity tag", span: "bytes=5-", ifRange: strings.Trim(etag, `"`), wantWhole: true},
		{name: "star", span: "bytes=5-", ifRange: "*", wantWhole: true},
		{name: "earlier date", span: "bytes=5-", ifRange: date(-time.Second), wantWhole: true},
		{name: "later date", span: "bytes=5-", ifRange: date(time.Second), wantWhole: true},
		{name: "other entity tag, range past the end", span: "bytes=10-", ifRange: `"another"`, wantWhole: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := "56789"
			status := http.StatusPartialContent
			if tt.wantWhole {
				want = "0123456789"
				status = http.StatusOK
			}

			for _, method := range []string{http.MethodGet, http.MethodHead} {
				header := map[string]string{"Range": tt.span, "If-Range": tt.ifRange}
				response, body := s.sendSigned(t, method, "/"+bucket+"/k", "", header)
				require.Equal(t, status, response.StatusCode, method)
				require.Equal(t, int64(len(want)), response.ContentLength, method)
				require.Equal(t, tt.wantWhole, response.Header.Get("Content-Range") == "", method)
				if method == http.MethodGet {
					require.Equal(t, want, body)
				}
			}
		})
	}
}

// The server verifies the checksums of an object and returns them.
func TestChecksums(t *testing.T) {
	const (
		content = "123456789"
		crc32c  = "4waSgw==" // of the content
	)

	// The SDK sends the checksum in a trailer only over TLS.
	tests := []struct {
		name     string
		start    func(*testing.T, s3server.Config, ...func(*s3.Options)) *store
		set      func(*s3.PutObjectInput) // sets a checksum
		wantCode string
	}{
		{
			name:  "CRC32C in a header",
			start: startServer,
			set: func(input *s3.PutObjectInput) {
				input.ChecksumCRC32C = aws.String(crc32c)
			},
		},
		{
			name:  "wrong CRC32C in a header",
			start: startServer,
			set: func(input *s3.PutObjectInput) {
				input.ChecksumCRC32C = aws.String("AAAAAA==")
			},
			wantCode: "BadDigest",
		},
		{
			name:  "invalid CRC32C in a header",
			start: startServer,
			set: func(input *s3.PutObjectInput) {
				input.ChecksumCRC32C = aws.String("AAAA")
			},
			wantCode: "InvalidRequest",
		},
		{
			name:  "CRC32C in a trailer",
			start: startTLS,
			set: func(input *s3.PutObjectInput) {
				input.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32c
			},
		},
		{
			name:  "CRC64NVME in a trailer",
			start: startTLS,
			set: func(input *s3.PutObjectInput) {
				input.ChecksumAlgorithm = types.ChecksumAlgorithmCrc64nvme
			},
		},
		{
			name:  "SHA256 in a trailer",
			start: startTLS,
			set: func(input *s3.PutObjectInput) {
				input.ChecksumAlgorithm = types.ChecksumAlgorithmSha256
			},
		},
		{name: "default of the SDK", start: startServer, set: func(*s3.PutObjectInput) {}},
		{
			name:  "Content-MD5",
			start: startServer,
			set: func(input *s3.PutObjectInput) {
				input.ContentMD5 = aws.String("JfnnlDI7RTiF9RgfG2JNCw==")
			},
		},
		{
			name:  "wrong Content-MD5",
			start: startServer,
			set: func(input *s3.PutObjectInput) {
				input.ContentMD5 = aws.String("AAAAAAAAAAAAAAAAAAAAAA==")
			},
			wantCode: "BadDigest",
		},
		{
			name:  "invalid Content-MD5",
			start: startServer,
			set: func(input *s3.PutObjectInput) {
				input.ContentMD5 = aws.String("AAAA")
			},
			wantCode: "InvalidDigest",
		},
		{
			name:  "two checksums",
			start: startServer,
			set: func(input *s3.PutObjectInput) {
				input.ChecksumCRC32C = aws.String(crc32c)
				input.ChecksumCRC32 = aws.String("y/Q5Jg==")
			},
			wantCode: "InvalidRequest",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.start(t, s3server.Config{})
			input := putInput("k", content)
			tt.set(input)
			_, err := s.PutObject(t.Context(), input)
			if tt.wantCode != "" {
				requireFailure(t, err, 400, tt.wantCode)
				require.Empty(t, s.keys(t))
				return
			}
			require.NoError(t, err)

			output, err := s.GetObject(t.Context(), &s3.GetObjectInput{
				Bucket:       input.Bucket,
				Key:          input.Key,
				ChecksumMode: types.ChecksumModeEnabled,
			})
			require.NoError(t, err)
			require.Equal(t, types.ChecksumTypeFullObject, output.ChecksumType)
			require.Nil(t, output.ContentEncoding, "aws-chunked describes only the transfer")
			require.Equal(t, content, readBody(t, output.Body), "the SDK has verified the checksum")
		})
	}
}

// GetObject refuses an object in an archive, but HeadObject does not.
func TestGetObjectArchived(t *testing.T) {
	s := startServer(t, s3server.Config{})
	input := putInput("k", "x")
	input.StorageClass = types.StorageClassGlacier
	_, err := s.PutObject(t.Context(), input)
	require.NoError(t, err)

	_, err = s.GetObject(t.Context(), &s3.GetObjectInput{Bucket: input.Bucket, Key: input.Key})
	requireFailure(t, err, 403, "InvalidObjectState")
	_, err = s.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: input.Bucket, Key: input.Key})
	require.NoError(t, err)
}
