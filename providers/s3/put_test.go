package s3

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// Put sends one request. The headers have the attributes, the condition and the checksum in the
// form that the server of the profile knows.
func TestPutRequest(t *testing.T) {
	all := storage.Properties{
		ContentType:        "text/plain",
		ContentEncoding:    "gzip",
		ContentDisposition: "inline",
		ContentLanguage:    "de",
		CacheControl:       "no-store",
		StorageClass:       "STANDARD_IA",
		Metadata:           map[string]string{"owner": "me", "omnibucketwriteid": "1"},
	}
	tests := []struct {
		name       string
		profile    string
		change     func(*driver.PutRequest)
		wantLine   string
		wantHeader map[string]string // "": the header must be missing
	}{
		{
			name:     "the checksum is in a header, and the body has no SHA-256",
			profile:  "aws",
			wantLine: "PUT /photos/a/b.txt?x-id=PutObject",
			wantHeader: map[string]string{
				"X-Amz-Checksum-Crc32c":        "mnG7TA==",
				"X-Amz-Content-Sha256":         "UNSIGNED-PAYLOAD",
				"X-Amz-Trailer":                "",
				"Content-Encoding":             "",
				"Content-Length":               "5",
				"X-Amz-Sdk-Checksum-Algorithm": "",
				"Content-Md5":                  "",
				"X-Amz-Checksum-Crc32":         "",
			},
		},
		{
			name:     "without CRC32C, only an MD5 is sent",
			profile:  "b2",
			wantLine: "PUT /photos/a/b.txt?x-id=PutObject",
			wantHeader: map[string]string{
				"Content-Md5":                  "XUFAKrxLKna5cZ2REBfFkg==",
				"X-Amz-Checksum-Crc32c":        "",
				"X-Amz-Checksum-Crc32":         "",
				"X-Amz-Sdk-Checksum-Algorithm": "",
				"X-Amz-Trailer":                "",
			},
		},
		{
			name:    "attributes",
			profile: "aws",
			change: func(r *driver.PutRequest) {
				r.Properties = all
			},
			wantLine: "PUT /photos/a/b.txt?x-id=PutObject",
			wantHeader: map[string]string{
				"Content-Type":                 "text/plain",
				"Content-Encoding":             "gzip",
				"Content-Disposition":          "inline",
				"Content-Language":             "de",
				"Cache-Control":                "no-store",
				"X-Amz-Storage-Class":          "STANDARD_IA",
				"X-Amz-Meta-Owner":             "me",
				"X-Amz-Meta-Omnibucketwriteid": "1",
				"X-Amz-Acl":                    "",
			},
		},
		{
			name:    "create-only",
			profile: "aws",
			change: func(r *driver.PutRequest) {
				r.Condition.Absent = true
			},
			wantLine:   "PUT /photos/a/b.txt?x-id=PutObject",
			wantHeader: map[string]string{"If-None-Match": "*", "If-Match": ""},
		},
		{
			name:    "compare and swap, with the quotes of the ETag",
			profile: "aws",
			change: func(r *driver.PutRequest) {
				r.Condition.Revision = etag
			},
			wantLine:   "PUT /photos/a/b.txt?x-id=PutObject",
			wantHeader: map[string]string{"If-Match": etag, "If-None-Match": ""},
		},
		{
			name:    "public by an ACL",
			profile: "aws",
			change: func(r *driver.PutRequest) {
				r.PublicRead = true
			},
			wantLine:   "PUT /photos/a/b.txt?x-id=PutObject",
			wantHeader: map[string]string{"X-Amz-Acl": "public-read"},
		},
		{
			name:    "every byte of a key is escaped except unreserved characters and slashes",
			profile: "aws",
			change: func(r *driver.PutRequest) {
				r.Key = "a b/+%25?#é😀~.txt"
			},
			wantLine: "PUT /photos/a%20b/%2B%2525%3F%23%C3%A9%F0%9F%98%80~.txt?x-id=PutObject",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, reply{
				Header: map[string]string{
					"ETag":                  etag,
					"X-Amz-Version-Id":      "v1",
					"X-Amz-Checksum-Crc32c": "mnG7TA==",
					"X-Amz-Checksum-Type":   "FULL_OBJECT",
				},
			})
			r := wiretest.Put("a/b.txt", "hello")
			if tt.change != nil {
				tt.change(r)
			}

			attrs, err := server.openDriver(t, tt.profile).Put(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, []string{tt.wantLine}, server.Lines(), "one request")

			got := server.Last(t)
			require.Equal(t, "hello", got.Body, "the body must have no chunks and no trailer")
			for name, value := range tt.wantHeader {
				require.Equal(t, value, got.Header.Get(name), name)
			}
			require.Equal(t, etag, attrs.Revision)
			require.Equal(t, "v1", attrs.Version)
			require.Equal(t, wiretest.CRC32C("hello"), attrs.CRC32C)
		})
	}
}

// The error of Put says whether the condition failed, whether a retry makes sense, and whether the
// object may have been stored.
func TestPutResponse(t *testing.T) {
	tests := []struct {
		name          string
		condition     storage.Condition
		response      reply
		wantCode      storage.Code
		wantUnknown   bool // whether the object may have been stored
		wantRetryable bool
	}{
		{
			name:      "a failed condition is 412",
			condition: storage.Condition{Absent: true},
			response:  errorReply(412, "PreconditionFailed", ""),
			wantCode:  storage.PreconditionFailed,
		},
		{
			name:      "an update of a missing object is 404",
			condition: storage.Condition{Revision: etag},
			response:  errorReply(404, "NoSuchKey", ""),
			wantCode:  storage.PreconditionFailed,
		},
		{
			name:      "an update in a missing bucket",
			condition: storage.Condition{Revision: etag},
			response:  errorReply(404, "NoSuchBucket", ""),
			wantCode:  storage.BucketNotFound,
		},
		{
			name:      "a failed condition on an older server",
			condition: storage.Condition{Absent: true},
			response:  reply{Status: 304},
			wantCode:  storage.PreconditionFailed,
		},
		{
			name:          "a conflict is not a failed condition",
			condition:     storage.Condition{Absent: true},
			response:      errorReply(409, "ConditionalRequestConflict", ""),
			wantCode:      storage.Unavailable,
			wantRetryable: true,
		},
		{
			name:     "a missing bucket",
			response: errorReply(404, "NoSuchBucket", ""),
			wantCode: storage.BucketNotFound,
		},
		{
			name:          "the outcome of a 500 is unknown",
			response:      errorReply(500, "InternalError", ""),
			wantCode:      storage.Unavailable,
			wantUnknown:   true,
			wantRetryable: true,
		},
		{
			name:          "the outcome of a 502 is unknown",
			response:      reply{Status: 502},
			wantCode:      storage.Unavailable,
			wantUnknown:   true,
			wantRetryable: true,
		},
		{
			name:          "the outcome of a 504 is unknown",
			response:      reply{Status: 504},
			wantCode:      storage.Unavailable,
			wantUnknown:   true,
			wantRetryable: true,
		},
		{
			name:          "503 is a refusal",
			response:      errorReply(503, "SlowDown", ""),
			wantCode:      storage.RateLimited,
			wantRetryable: true,
		},
		{
			name:          "200 with an error in its body",
			response:      reply{Body: errorReply(0, "InternalError", "").Body},
			wantCode:      storage.Unavailable,
			wantUnknown:   true,
			wantRetryable: true,
		},
		{
			name:          "no response",
			response:      reply{Cut: true},
			wantCode:      storage.Unavailable,
			wantUnknown:   true,
			wantRetryable: true,
		},
		{
			name:     "damaged during the transfer",
			response: errorReply(400, "BadDigest", ""),
			wantCode: storage.ChecksumMismatch,
		},
		{
			name:     "damaged during the transfer to MinIO",
			response: errorReply(400, "XAmzContentChecksumMismatch", ""),
			wantCode: storage.ChecksumMismatch,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, tt.response)
			r := wiretest.Put("k", "hello")
			r.Condition = tt.condition
			_, err := server.openDriver(t, "aws").Put(t.Context(), r)

			e := &storage.Error{}
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.wantCode, e.Code, "%v", err)
			require.Equal(t, tt.wantUnknown, e.Unknown, "outcome unknown: %v", err)
			require.Equal(t, tt.wantRetryable, e.Retryable, "retryable: %v", err)
			require.Len(t, server.Requests(), 1, "the driver must leave retries to the engine")
		})
	}
}

// With a custom HTTP client, the outcome of Put is unknown if the connection is lost. If there was
// never a connection, nothing was sent, and the outcome is known.
func TestPutWithACustomHTTPClient(t *testing.T) {
	server := newStandIn(t, reply{Cut: true})
	d := server.openDriver(t, "aws", func(c *Config) {
		c.HTTPClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	})

	// The server closes the connection after the request.
	_, err := d.Put(t.Context(), wiretest.Put("k", "hello"))
	e := &storage.Error{}
	require.ErrorAs(t, err, &e)
	require.True(t, e.Unknown, "%v", err)

	// The server accepts no connection.
	server.Close()
	_, err = d.Put(t.Context(), wiretest.Put("k", "hello"))
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.Unavailable, e.Code)
	require.False(t, e.Unknown, "%v", err)
}
