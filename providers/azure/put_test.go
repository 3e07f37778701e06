package azure

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

func TestPutRequests(t *testing.T) {
	s := newScript(t, said{Status: http.StatusCreated, Header: map[string]string{
		"ETag":            etag,
		"Last-Modified":   aTime,
		"X-Ms-Version-Id": version,
		"Content-Md5":     "XUFAKrxLKna5cZ2REBfFkg==",
	}})
	r := wiretest.Put("a b/ü+?.txt", "hello")
	r.Properties = storage.Properties{
		ContentType:        "text/plain",
		ContentEncoding:    "gzip",
		ContentDisposition: "inline",
		ContentLanguage:    "de",
		CacheControl:       "no-store",
		Metadata:           map[string]string{"color-of-it": "red"},
		StorageClass:       "Cool",
	}
	r.Condition.Absent = true
	attrs, err := s.driver(t).Put(t.Context(), r)
	require.NoError(t, err)

	got := s.server.Last(t)
	require.Equal(t, "PUT /photos/a%20b%2F%C3%BC+%3F.txt", got.Line())
	require.Equal(t, "hello", got.Body)

	for name, want := range map[string]string{
		"X-Ms-Blob-Type":                    "BlockBlob",
		"Content-Length":                    "5",
		"X-Ms-Blob-Content-Type":            "text/plain",
		"X-Ms-Blob-Content-Encoding":        "gzip",
		"X-Ms-Blob-Content-Disposition":     "inline",
		"X-Ms-Blob-Content-Language":        "de",
		"X-Ms-Blob-Cache-Control":           "no-store",
		"X-Ms-Meta-Color_x002d_of_x002d_it": "red",
		"X-Ms-Meta-Omnibucket_crc32c":       "9a71bb4c-5",
		"X-Ms-Content-Crc64":                "V0JSBnCFdzM=",
		"X-Ms-Access-Tier":                  "Cool",
		"If-None-Match":                     "*",
		"Accept-Encoding":                   "identity",
	} {
		if name == "Content-Length" {
			continue // net/http's server does not pass it on
		}
		require.Equal(t, want, got.Header.Get(name), name)
	}
	require.Empty(t, got.Header.Get("X-Ms-Blob-Content-Md5"), "the service computes its own")
	require.Contains(t, got.Header.Get("User-Agent"), "omnibucket")
	require.Equal(t, etag, attrs.Revision)
	require.Equal(t, etag, attrs.ETag)
	require.Equal(t, version, attrs.Version)
	require.Equal(t, "2026-11-20T12:00:00Z", attrs.Modified.Format("2006-01-02T15:04:05Z07:00"))
	require.Len(t, attrs.MD5, 16)
}

func TestPutErrors(t *testing.T) {
	tests := map[string]struct {
		answer    said
		condition storage.Condition
		want      storage.Code
	}{
		"a create over an object":              {refusing(409, "BlobAlreadyExists"), storage.Condition{Absent: true}, storage.PreconditionFailed},
		"a create over an object, said as 412": {refusing(412, "ConditionNotMet"), storage.Condition{Absent: true}, storage.PreconditionFailed},
		"a create by a signature for creating": {refusing(403, "UnauthorizedBlobOverwrite"), storage.Condition{Absent: true}, storage.PreconditionFailed},
		"an overwrite by such a signature":     {refusing(403, "UnauthorizedBlobOverwrite"), storage.Condition{}, storage.PermissionDenied},
		"an update of another revision":        {refusing(412, "ConditionNotMet"), storage.Condition{Revision: etag}, storage.PreconditionFailed},
		"an update of nothing":                 {refusing(404, "BlobNotFound"), storage.Condition{Revision: etag}, storage.PreconditionFailed},
		"no container":                         {refusing(404, "ContainerNotFound"), storage.Condition{Revision: etag}, storage.BucketNotFound},
		"no container that may be known":       {refusing(404, "ResourceNotFound"), storage.Condition{}, storage.BucketNotFound},
		"bytes that were damaged on their way": {refusing(400, "Crc64Mismatch"), storage.Condition{}, storage.ChecksumMismatch},
		"a body above the service's limit":     {refusing(413, "RequestBodyTooLarge"), storage.Condition{}, storage.TooLarge},
		"an object under a lease":              {refusing(412, "LeaseIdMissing"), storage.Condition{Revision: etag}, storage.Locked},
		"an object that may not change":        {refusing(409, "BlobImmutableDueToPolicy"), storage.Condition{}, storage.Locked},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, tt.answer)
			r := wiretest.Put("a", "hello")
			r.Condition = tt.condition
			_, err := s.driver(t).Put(t.Context(), r)

			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.want, e.Code)
			require.False(t, e.Unknown)
			require.Equal(t, "R1", e.RequestID)
			require.Len(t, s.server.Requests(), 1, "the SDK retries nothing")
		})
	}
}

// If the body does not match its declared checksum, Put fails, and Azure stores nothing.
func TestPutWrongChecksum(t *testing.T) {
	s := newScript(t, created)
	r := wiretest.Put("a", "hello")
	r.CRC32C = wiretest.CRC32C("hallo")

	_, err := s.driver(t).Put(t.Context(), r)
	require.ErrorIs(t, err, storage.ChecksumMismatch)
	_, err = s.driver(t).PutPart(t.Context(), &driver.PartRequest{
		Key:    "a",
		Upload: newUploadID(),
		Number: 1,
		Body: r.Body.(interface {
			Read([]byte) (int, error)
			Seek(int64, int) (int64, error)
		}),
		CRC32C: r.CRC32C,
	})
	require.ErrorIs(t, err, storage.ChecksumMismatch)
	require.Empty(t, s.server.Requests())
}

// The outcome of a Put whose response is lost is unknown.
func TestPutResponseLost(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tests := map[string]struct {
		answer  said
		ctx     context.Context
		before  func(*http.Request)
		unknown bool
	}{
		"a connection that was cut":   {answer: said{Cut: true}, unknown: true},
		"an error of the server":      {answer: refusing(500, "InternalError"), unknown: true},
		"an operation that timed out": {answer: refusing(500, "OperationTimedOut"), unknown: true},
		"a caller that gave up": {
			answer: created,
			ctx:    ctx,
			before: func(*http.Request) {
				cancel()
			},
			unknown: true,
		},
		"a server that is busy":      {answer: refusing(503, "ServerBusy")},
		"a refusal":                  {answer: refusing(403, "AuthorizationFailure")},
		"a gateway's refusal":        {answer: said{Status: 403, Header: map[string]string{requestIDHeader: ""}, Body: "<html></html>"}, unknown: true},
		"a page with a code element": {answer: said{Status: 403, Header: map[string]string{requestIDHeader: ""}, Body: "<html><body><code>blocked</code></body></html>"}, unknown: true},
		"a gateway's JSON":           {answer: said{Status: 412, Header: map[string]string{requestIDHeader: ""}, Body: `{"code":"blocked"}`}, unknown: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, tt.answer)
			s.server.Before = tt.before
			if tt.ctx == nil {
				tt.ctx = t.Context()
			}
			_, err := s.driver(t).Put(tt.ctx, wiretest.Put("a", "hello"))
			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.unknown, e.Unknown)
		})
	}
}

// If Config.HTTPClient has another transport, the driver cannot know how much of a request was sent. So the
// outcome of a failed Put is unknown, unless there was no connection.
func TestPutResponseLostByAnotherTransport(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	setTransport := func(c *Config) {
		c.HTTPClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	}
	s := newScript(t, said{Cut: true})
	_, err := s.driver(t, setTransport).Put(t.Context(), wiretest.Put("a", "hello"))
	require.ErrorIs(t, err, storage.OutcomeUnknown)

	s = newScript(t, created)
	s.server.Before = func(*http.Request) {
		cancel()
	}
	_, err = s.driver(t, setTransport).Put(ctx, wiretest.Put("a", "hello"))
	require.ErrorIs(t, err, storage.OutcomeUnknown)

	s = newScript(t)
	s.server.Close()
	_, err = s.driver(t, setTransport).Put(t.Context(), wiretest.Put("a", "hello"))
	require.Error(t, err)
	require.NotErrorIs(t, err, storage.OutcomeUnknown, "no server listens there")
}
