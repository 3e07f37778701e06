package s3

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// Get sends one request. Its range, condition and version are those of the call.
func TestGetRequest(t *testing.T) {
	tests := []struct {
		name       string
		request    driver.GetRequest
		wantQuery  string
		wantHeader map[string]string // "": the request lacks this header
	}{
		{
			name:      "the whole object",
			request:   driver.GetRequest{Length: -1},
			wantQuery: "x-id=GetObject",
			wantHeader: map[string]string{
				"Range":               "",
				"If-Match":            "",
				"X-Amz-Checksum-Mode": "ENABLED",
				"Accept-Encoding":     "identity",
			},
		},
		{
			name:       "from an offset",
			request:    driver.GetRequest{Offset: 5, Length: -1},
			wantQuery:  "x-id=GetObject",
			wantHeader: map[string]string{"Range": "bytes=5-"},
		},
		{
			name:       "some bytes",
			request:    driver.GetRequest{Offset: 5, Length: 10},
			wantQuery:  "x-id=GetObject",
			wantHeader: map[string]string{"Range": "bytes=5-14"},
		},
		{
			name:       "the last bytes",
			request:    driver.GetRequest{Suffix: 15, Length: -1},
			wantQuery:  "x-id=GetObject",
			wantHeader: map[string]string{"Range": "bytes=-15"},
		},
		{
			name:       "one revision",
			request:    driver.GetRequest{Length: -1, Condition: storage.Condition{Revision: etag}},
			wantQuery:  "x-id=GetObject",
			wantHeader: map[string]string{"If-Match": etag},
		},
		{
			name:       "another revision than the known one",
			request:    driver.GetRequest{Length: -1, Condition: storage.Condition{NotRevision: etag}},
			wantQuery:  "x-id=GetObject",
			wantHeader: map[string]string{"If-None-Match": etag},
		},
		{
			name:      "one version",
			request:   driver.GetRequest{Length: -1, Version: "v/1"},
			wantQuery: "versionId=v%2F1&x-id=GetObject",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, reply{
				Status: 206,
				Header: map[string]string{"ETag": etag, "Content-Range": "bytes 5-14/20"},
				Body:   "0123456789",
			})
			request := tt.request
			request.Key = "k"
			_, body, err := server.openDriver(t, "aws").Get(t.Context(), &request)
			require.NoError(t, err)
			require.NoError(t, body.Close())
			require.Equal(t, []string{"GET /photos/k?" + tt.wantQuery}, server.Lines(),
				"no request before a read")
			for name, value := range tt.wantHeader {
				require.Equal(t, value, server.Last(t).Header.Get(name), name)
			}
		})
	}
}

// Get and Head return the attributes that are in the headers of the response.
func TestGetResponse(t *testing.T) {
	modified := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	header := map[string]string{
		"ETag":                  etag,
		"Last-Modified":         modified.Format("Mon, 02 Jan 2006 15:04:05 GMT"),
		"X-Amz-Version-Id":      "null",
		"Content-Type":          "text/plain",
		"Content-Encoding":      "gzip,aws-chunked",
		"Content-Disposition":   "inline",
		"Content-Language":      "de",
		"Cache-Control":         "no-store",
		"X-Amz-Meta-Owner":      "me",
		"X-Amz-Storage-Class":   "STANDARD",
		"X-Amz-Checksum-Crc32c": "mnG7TA==",
	}
	server := newStandIn(t, reply{Header: header, Body: "hello"})
	d := server.openDriver(t, "aws")
	want := &storage.Attrs{
		Key:      "k",
		Size:     5,
		ETag:     etag,
		Revision: etag,
		Modified: modified,
		CRC32C:   wiretest.CRC32C("hello"),
		Properties: storage.Properties{
			ContentType:        "text/plain",
			ContentEncoding:    "gzip",
			ContentDisposition: "inline",
			ContentLanguage:    "de",
			CacheControl:       "no-store",
			Metadata:           map[string]string{"owner": "me"},
		},
	}

	// Get and Head return the same attributes.
	attrs, body, err := d.Get(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
	require.NoError(t, err)
	require.Equal(t, want, attrs)
	text, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Equal(t, "hello", string(text))

	header["Content-Length"] = "5" // of a body that HEAD does not return
	attrs, err = d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
	require.NoError(t, err)
	require.Equal(t, want, attrs)
}

// Get of a range returns the size of the whole object. If the response has another range than the
// requested one, Get fails with Internal.
func TestGetOfARange(t *testing.T) {
	tests := []struct {
		name         string
		request      driver.GetRequest
		response     reply
		wantSize     int64
		wantChecksum bool
		wantCode     storage.Code // "": no error
	}{
		{
			name:    "a range in the middle",
			request: driver.GetRequest{Offset: 2, Length: 3},
			response: reply{
				Status: 206,
				Header: map[string]string{
					"Content-Range":         "bytes 2-4/20",
					"X-Amz-Checksum-Crc32c": "mnG7TA==",
				},
				Body: "llo",
			},
			wantSize: 20,
		},
		{
			name:    "a range of all bytes, which keeps the checksum",
			request: driver.GetRequest{Length: 9},
			response: reply{
				Status: 206,
				Header: map[string]string{
					"Content-Range":         "bytes 0-4/5",
					"X-Amz-Checksum-Crc32c": "mnG7TA==",
				},
				Body: "hello",
			},
			wantSize:     5,
			wantChecksum: true,
		},
		{
			name:     "a range that the server ignores",
			request:  driver.GetRequest{Offset: 2, Length: 3},
			response: reply{Body: "hello"},
			wantCode: storage.Internal,
		},
		{
			name:     "a range at the start that the server ignores",
			request:  driver.GetRequest{Length: 3},
			response: reply{Body: "hello"},
			wantCode: storage.Internal,
		},
		{
			name:     "a range of all bytes, with status 200",
			request:  driver.GetRequest{Length: 9},
			response: reply{Body: "hello"},
			wantSize: 5,
		},
		{
			name:    "another range than requested",
			request: driver.GetRequest{Offset: 2, Length: 3},
			response: reply{
				Status: 206,
				Header: map[string]string{"Content-Range": "bytes 0-2/5"},
				Body:   "hel",
			},
			wantCode: storage.Internal,
		},
		{
			name:    "an invalid Content-Range",
			request: driver.GetRequest{Offset: 2, Length: 3},
			response: reply{
				Status: 206,
				Header: map[string]string{"Content-Range": "bytes */5"},
				Body:   "hel",
			},
			wantCode: storage.Internal,
		},
		{
			name:     "the end of an empty object",
			request:  driver.GetRequest{Suffix: 3, Length: -1},
			response: reply{Status: 200},
		},
		{
			name:     "a range after the end",
			request:  driver.GetRequest{Offset: 9, Length: 3},
			response: errorReply(416, "InvalidRange", ""),
			wantCode: storage.RangeNotSatisfiable,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, tt.response)
			request := tt.request
			request.Key = "k"
			attrs, body, err := server.openDriver(t, "aws").Get(t.Context(), &request)
			if tt.wantCode != "" {
				require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)
				return
			}
			require.NoError(t, err)

			require.NoError(t, body.Close())
			require.Equal(t, tt.wantSize, attrs.Size)
			require.Equal(t, tt.wantChecksum, attrs.CRC32C.Known)
		})
	}
}

// getAttrs is Get without the body.
func (d *objectDriver) getAttrs(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	attrs, body, err := d.Get(ctx, r)
	if err != nil {
		return nil, err
	}
	return attrs, body.Close()
}

// Get and Head fail with Internal if the response has no Content-Length. Get of a range succeeds
// without it if the Content-Range of the response has the size of the object.
func TestGetWithoutLength(t *testing.T) {
	tests := []struct {
		name     string
		isHead   bool
		request  driver.GetRequest
		header   map[string]string
		wantSize int64        // if the call succeeds
		wantCode storage.Code // "" if the call succeeds
	}{
		{name: "GET", request: driver.GetRequest{Length: -1}, wantCode: storage.Internal},
		{
			name:     "GET with a Content-Range",
			request:  driver.GetRequest{Length: -1},
			header:   map[string]string{"Content-Range": "bytes 0-4/5"},
			wantCode: storage.Internal,
		},
		{
			name:     "GET of a range that the server ignores",
			request:  driver.GetRequest{Offset: 2, Length: 3},
			wantCode: storage.Internal,
		},
		{
			name:     "GET of the last bytes",
			request:  driver.GetRequest{Suffix: 3, Length: -1},
			wantCode: storage.Internal,
		},
		{
			name:     "GET of a range with a Content-Range",
			request:  driver.GetRequest{Offset: 2, Length: 5},
			header:   map[string]string{"Content-Range": "bytes 2-6/20"},
			wantSize: 20,
		},
		{name: "HEAD", isHead: true, request: driver.GetRequest{Length: -1}, wantCode: storage.Internal},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newStandInWithoutLength(t, tt.header, "hello").openDriver(t, "aws")
			request := tt.request
			request.Key = "k"
			readAttrs := d.getAttrs // by a GET
			if tt.isHead {
				readAttrs = d.Head
			}

			attrs, err := readAttrs(t.Context(), &request)
			require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)
			if tt.wantCode == "" {
				require.Equal(t, tt.wantSize, attrs.Size)
			}
		})
	}
}

// Head leaves Attrs.CRC32C unknown if the checksum is malformed, or was computed from the checksums
// of parts.
func TestHeadIgnoresPartChecksums(t *testing.T) {
	for name, header := range map[string]map[string]string{
		"a checksum of checksums": {
			"X-Amz-Checksum-Crc32c": "mnG7TA==",
			"X-Amz-Checksum-Type":   "COMPOSITE",
		},
		"a checksum of checksums, by its form": {"X-Amz-Checksum-Crc32c": "mnG7TA==-3"},
		"nonsense":                             {"X-Amz-Checksum-Crc32c": "mnG7"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newStandIn(t, reply{Header: header}).openDriver(t, "aws")
			attrs, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
			require.NoError(t, err)
			require.False(t, attrs.CRC32C.Known)
		})
	}
}

// A read that finds nothing says whether the object or the bucket is missing. The response to a
// HEAD has no body, so the driver learns this by a HEAD of the bucket. If a version is missing, the
// error is ObjectNotFound.
func TestGetMissing(t *testing.T) {
	deleteMarker := map[string]string{"X-Amz-Delete-Marker": "true"}
	tests := []struct {
		name      string
		isHead    bool
		version   string
		responses []reply
		wantCode  storage.Code
		wantLines []string
	}{
		{
			name:      "GET of a missing object",
			responses: []reply{errorReply(404, "NoSuchKey", "")},
			wantCode:  storage.ObjectNotFound,
			wantLines: []string{"GET /photos/k?x-id=GetObject"},
		},
		{
			name:      "GET of a missing bucket",
			responses: []reply{errorReply(404, "NoSuchBucket", "")},
			wantCode:  storage.BucketNotFound,
			wantLines: []string{"GET /photos/k?x-id=GetObject"},
		},
		{
			name:      "HEAD of a missing object",
			isHead:    true,
			responses: []reply{{Status: 404}, {Status: 200}},
			wantCode:  storage.ObjectNotFound,
			wantLines: []string{"HEAD /photos/k", "HEAD /photos"},
		},
		{
			name:      "HEAD in a missing bucket",
			isHead:    true,
			responses: []reply{{Status: 404}, {Status: 404}},
			wantCode:  storage.BucketNotFound,
			wantLines: []string{"HEAD /photos/k", "HEAD /photos"},
		},
		{
			name:      "HEAD without permission for the bucket",
			isHead:    true,
			responses: []reply{{Status: 404}, {Status: 403}},
			wantCode:  storage.ObjectNotFound,
			wantLines: []string{"HEAD /photos/k", "HEAD /photos"},
		},
		{
			name:      "HEAD, and the bucket cannot be read",
			isHead:    true,
			responses: []reply{{Status: 404}, {Status: 503}},
			wantCode:  storage.Unavailable,
			wantLines: []string{"HEAD /photos/k", "HEAD /photos"},
		},
		{
			name:      "a key with a delete marker",
			isHead:    true,
			responses: []reply{{Status: 404, Header: deleteMarker}},
			wantCode:  storage.ObjectNotFound,
			wantLines: []string{"HEAD /photos/k"},
		},
		{
			name:      "the version of a delete marker",
			isHead:    true,
			version:   "v1",
			responses: []reply{{Status: 405, Header: deleteMarker}},
			wantCode:  storage.ObjectNotFound,
			wantLines: []string{"HEAD /photos/k?versionId=v1"},
		},
		{
			name:      "a missing version",
			version:   "v1",
			responses: []reply{errorReply(404, "NoSuchVersion", "")},
			wantCode:  storage.ObjectNotFound,
			wantLines: []string{"GET /photos/k?versionId=v1&x-id=GetObject"},
		},
		{
			name:      "a malformed version",
			version:   "?",
			responses: []reply{errorReply(400, "InvalidArgument", "Invalid version id specified")},
			wantCode:  storage.InvalidArgument,
			wantLines: []string{"GET /photos/k?versionId=%3F&x-id=GetObject"},
		},
		{
			name:      "a malformed version, without a body",
			isHead:    true,
			version:   "?",
			responses: []reply{{Status: 400}},
			wantCode:  storage.InvalidArgument,
			wantLines: []string{"HEAD /photos/k?versionId=%3F"},
		},
		{
			name:      "another revision than required",
			responses: []reply{errorReply(412, "PreconditionFailed", "")},
			wantCode:  storage.PreconditionFailed,
			wantLines: []string{"GET /photos/k?x-id=GetObject"},
		},
		{
			name:      "a revision that the caller knows",
			isHead:    true,
			responses: []reply{{Status: 304}},
			wantCode:  storage.NotModified,
			wantLines: []string{"HEAD /photos/k"},
		},
		{
			name:      "an object in the archive",
			responses: []reply{errorReply(403, "InvalidObjectState", "")},
			wantCode:  storage.Archived,
			wantLines: []string{"GET /photos/k?x-id=GetObject"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, tt.responses...)
			d := server.openDriver(t, "aws")
			r := &driver.GetRequest{Key: "k", Version: tt.version, Length: -1}

			var err error
			if tt.isHead {
				_, err = d.Head(t.Context(), r)
			} else {
				_, err = d.getAttrs(t.Context(), r) // by a GET
			}
			require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)
			require.Equal(t, tt.wantLines, server.Lines())
		})
	}
}

// A storeWithoutDecrypt answers HEADs as S3 does for a role without kms:Decrypt: it refuses those that
// ask for the checksum. It also refuses every HEAD for the key "secret".
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html.
type storeWithoutDecrypt struct {
	requests    []string // the method and the value of X-Amz-Checksum-Mode of each request
	isThrottled bool     // the next HEAD that does not ask for the checksum fails with 503
}

// A storeWithoutDecrypt records these texts for a HEAD that asks for the checksum, and for one that
// does not.
const (
	headWithChecksum    = "HEAD ENABLED"
	headWithoutChecksum = "HEAD "
)

// RoundTrip records the request and answers it.
func (s *storeWithoutDecrypt) RoundTrip(r *http.Request) (*http.Response, error) {
	mode := r.Header.Get("X-Amz-Checksum-Mode")
	s.requests = append(s.requests, r.Method+" "+mode)
	status := http.StatusOK
	switch {
	case mode != "" || strings.HasSuffix(r.URL.Path, "secret"):
		status = http.StatusForbidden
	case s.isThrottled:
		s.isThrottled = false
		status = http.StatusServiceUnavailable
	}
	return &http.Response{
		StatusCode: status,
		Header: http.Header{
			"X-Amz-Request-Id": {"R1"},
			"Etag":             {etag},
			"Content-Length":   {"3"},
		},
		Body:          http.NoBody,
		Request:       r,
		ContentLength: 3,
	}, nil
}

// open opens a bucket of the store.
func (s *storeWithoutDecrypt) open(t *testing.T) storage.Bucket {
	return engine.New(mustOpen(t, Config{HTTPClient: &http.Client{Transport: s}}))
}

// S3 refuses a HEAD that asks for checksums if the role may not decrypt. The driver then repeats
// the HEAD without asking for checksums. If the second HEAD succeeds, the driver asks for no
// checksums until checksumsRemembered has passed.
func TestAttrsWithoutThePermissionToDecrypt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &storeWithoutDecrypt{}
		b := store.open(t)
		requireExists := func() {
			exists, err := b.Exists(t.Context(), "k")
			require.NoError(t, err)
			require.True(t, exists)
		}

		// The second call does not ask for checksums.
		requireExists()
		requireExists()
		require.Equal(t, []string{headWithChecksum, headWithoutChecksum, headWithoutChecksum}, store.requests)

		// A call after checksumsRemembered asks for the checksums again.
		time.Sleep(checksumsRemembered)
		store.requests = nil
		requireExists()
		require.Equal(t, []string{headWithChecksum, headWithoutChecksum}, store.requests)
	})
}

// If S3 refuses both HEADs, the reason is not the checksum. So the next call asks for the checksum
// again.
func TestAttrsRefusedWithAndWithoutChecksum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &storeWithoutDecrypt{}
		b := store.open(t)
		for range 2 {
			store.requests = nil
			_, err := b.Attrs(t.Context(), "secret")
			require.ErrorIs(t, err, storage.PermissionDenied)
			require.Equal(t, []string{headWithChecksum, headWithoutChecksum}, store.requests)
		}
	})
}

// If the HEAD without the checksum is throttled, the engine repeats the whole call. The call begins
// again with a HEAD for the checksum.
func TestAttrsThrottledWithoutChecksum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &storeWithoutDecrypt{isThrottled: true}
		b := store.open(t)
		_, err := b.Attrs(t.Context(), "k")
		require.NoError(t, err)
		require.Equal(t,
			[]string{headWithChecksum, headWithoutChecksum, headWithChecksum, headWithoutChecksum}, store.requests)
	})
}

// If a HEAD with a session token fails with status 400, the driver sends a GET. The response to the
// GET has a body, which reports whether the token has expired.
// https://github.com/aws/aws-sdk-js/issues/2219, snowflakedb/snowflake-connector-python#30.
func TestAttrsAfterTheEndOfASession(t *testing.T) {
	headAndGet := []string{"HEAD /photos/k", "GET /photos/k?x-id=GetObject"}
	expired := errorReply(400, "ExpiredToken", "The provided token has expired.")
	tests := []struct {
		name         string
		replies      []reply
		sessionToken string
		want         storage.Code
		wantHint     string
		wantRequests []string
	}{
		{
			name:         "the session has ended",
			replies:      []reply{{Status: 400}, expired},
			sessionToken: "token",
			want:         storage.Unauthenticated,
			wantHint:     "has expired",
			wantRequests: headAndGet,
		},
		{
			name:         "the session has not ended",
			replies:      []reply{{Status: 400}, {Body: "x"}},
			sessionToken: "token",
			want:         storage.InvalidArgument,
			wantHint:     "WithCustomerKey",
			wantRequests: headAndGet,
		},
		{
			name:         "the session has not ended, and the object is empty",
			replies:      []reply{{Status: 400}, errorReply(416, "InvalidRange", "")},
			sessionToken: "token",
			want:         storage.InvalidArgument,
			wantHint:     "WithCustomerKey",
			wantRequests: headAndGet,
		},
		{
			name:         "no session",
			replies:      []reply{{Status: 400}},
			want:         storage.InvalidArgument,
			wantHint:     "WithCustomerKey",
			wantRequests: []string{"HEAD /photos/k"},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, tt.replies...)
			d := server.openDriver(t, "aws", func(c *Config) {
				c.SessionToken = tt.sessionToken
			})
			_, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})

			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, tt.wantHint)
			require.Equal(t, tt.wantRequests, server.Lines())
		})
	}
}
