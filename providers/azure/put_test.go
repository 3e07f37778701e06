package azure

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// Put sends the body with all properties and checksums in one request, and returns the attributes
// of the response.
func TestPutRequests(t *testing.T) {
	server := newCannedServer(t, reply{Status: http.StatusCreated, Header: map[string]string{
		"ETag":            etag,
		"Last-Modified":   lastModified,
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

	attrs, err := server.openDriver(t).Put(t.Context(), r)
	require.NoError(t, err)

	got := server.Last(t)
	require.Equal(t, "PUT /photos/a%20b%2F%C3%BC+%3F.txt", got.Line())
	require.Equal(t, "hello", got.Body)

	for name, want := range map[string]string{
		"X-Ms-Blob-Type":                    "BlockBlob",
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
		require.Equal(t, want, got.Header.Get(name), name)
	}
	require.Empty(t, got.Header.Get("X-Ms-Blob-Content-Md5"), "the service must compute its own")
	require.Contains(t, got.Header.Get("User-Agent"), "omnibucket")

	// The attributes come from the response.
	require.Equal(t, etag, attrs.Revision)
	require.Equal(t, etag, attrs.ETag)
	require.Equal(t, version, attrs.Version)
	require.Equal(t, "2026-11-20T12:00:00Z", attrs.Modified.Format("2006-01-02T15:04:05Z07:00"))
	require.Len(t, attrs.MD5, 16)
}

// A refused Put fails with the Code of the reason, and not with OutcomeUnknown.
func TestPutErrors(t *testing.T) {
	tests := []struct {
		name      string
		response  reply
		condition storage.Condition
		want      storage.Code
	}{
		{
			name:      "IfAbsent, object exists",
			response:  errorReply(409, "BlobAlreadyExists"),
			condition: storage.Condition{Absent: true},
			want:      storage.PreconditionFailed,
		},
		{
			name:      "IfAbsent, object exists, reported as 412",
			response:  errorReply(412, "ConditionNotMet"),
			condition: storage.Condition{Absent: true},
			want:      storage.PreconditionFailed,
		},
		{
			name:      "IfAbsent, object exists, signature permits only to create",
			response:  errorReply(403, "UnauthorizedBlobOverwrite"),
			condition: storage.Condition{Absent: true},
			want:      storage.PreconditionFailed,
		},
		{
			name:     "overwrite, signature permits only to create",
			response: errorReply(403, "UnauthorizedBlobOverwrite"),
			want:     storage.PermissionDenied,
		},
		{
			name:      "IfRevision, object has another revision",
			response:  errorReply(412, "ConditionNotMet"),
			condition: storage.Condition{Revision: etag},
			want:      storage.PreconditionFailed,
		},
		{
			name:      "IfRevision, object missing",
			response:  errorReply(404, "BlobNotFound"),
			condition: storage.Condition{Revision: etag},
			want:      storage.PreconditionFailed,
		},
		{
			name:      "container missing",
			response:  errorReply(404, "ContainerNotFound"),
			condition: storage.Condition{Revision: etag},
			want:      storage.BucketNotFound,
		},
		{
			name:     "container missing or hidden",
			response: errorReply(404, "ResourceNotFound"),
			want:     storage.BucketNotFound,
		},
		{
			name:     "body damaged in transit",
			response: errorReply(400, "Crc64Mismatch"),
			want:     storage.ChecksumMismatch,
		},
		{
			name:     "body too large",
			response: errorReply(413, "RequestBodyTooLarge"),
			want:     storage.TooLarge,
		},
		{
			name:      "object under a lease",
			response:  errorReply(412, "LeaseIdMissing"),
			condition: storage.Condition{Revision: etag},
			want:      storage.Locked,
		},
		{
			name:     "object under an immutability policy",
			response: errorReply(409, "BlobImmutableDueToPolicy"),
			want:     storage.Locked,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.response)
			r := wiretest.Put("a", "hello")
			r.Condition = tt.condition
			_, err := server.openDriver(t).Put(t.Context(), r)

			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.want, e.Code)
			require.False(t, e.Unknown)
			require.Equal(t, "R1", e.RequestID)
			require.Len(t, server.Requests(), 1, "the SDK must retry nothing")
		})
	}
}

// Put and PutPart fail if the body does not match its declared checksum, and Azure stores nothing.
func TestPutWrongChecksum(t *testing.T) {
	server := newCannedServer(t, created)
	d := server.openDriver(t)

	r := wiretest.Put("a", "hello")
	r.CRC32C = wiretest.CRC32C("hallo")
	_, err := d.Put(t.Context(), r)
	require.ErrorIs(t, err, storage.ChecksumMismatch)

	_, err = d.PutPart(t.Context(), &driver.PartRequest{
		Key:    "a",
		Upload: newUploadID(),
		Number: 1,
		Body:   strings.NewReader("hello"),
		CRC32C: wiretest.CRC32C("hallo"),
	})
	require.ErrorIs(t, err, storage.ChecksumMismatch)
	require.Empty(t, server.Requests())
}

// If Put fails, its error is OutcomeUnknown unless the response proves that Azure has refused the request. A response
// of a gateway proves nothing, because Azure may have stored the object before.
func TestPutResponseLost(t *testing.T) {
	fromGateway := func(status int, body string) reply {
		return reply{Status: status, Header: map[string]string{requestIDHeader: ""}, Body: body}
	}
	tests := []struct {
		name        string
		response    reply
		wantUnknown bool
	}{
		{name: "connection cut", response: reply{Cut: true}, wantUnknown: true},
		{name: "internal error", response: errorReply(500, "InternalError"), wantUnknown: true},
		{name: "operation timed out", response: errorReply(500, "OperationTimedOut"), wantUnknown: true},
		{name: "server busy", response: errorReply(503, "ServerBusy"), wantUnknown: false},
		{name: "refused by Azure", response: errorReply(403, "AuthorizationFailure"), wantUnknown: false},
		{name: "refused by a gateway", response: fromGateway(403, "<html></html>"), wantUnknown: true},
		{
			name:        "refused by a gateway, with an element like Azure's",
			response:    fromGateway(403, "<html><body><code>blocked</code></body></html>"),
			wantUnknown: true,
		},
		{
			name:        "refused by a gateway, in JSON",
			response:    fromGateway(412, `{"code":"blocked"}`),
			wantUnknown: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newCannedServer(t, tt.response).openDriver(t)

			_, err := d.Put(t.Context(), wiretest.Put("a", "hello"))
			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.wantUnknown, e.Unknown)
		})
	}
}

// If the caller cancels a Put after its request has arrived, the error is OutcomeUnknown.
func TestPutCanceledBeforeResponse(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server := newCannedServer(t, created)
	server.Before = func(*http.Request) {
		cancel() // before the server responds
	}

	_, err := server.openDriver(t).Put(ctx, wiretest.Put("a", "hello"))
	require.ErrorIs(t, err, storage.OutcomeUnknown)
}

// With another transport in Config.HTTPClient, the outcome of a failed Put is unknown unless there
// was no connection. The driver cannot learn from such a transport how much of the request was
// sent.
func TestPutResponseLostByAnotherTransport(t *testing.T) {
	// put stores an object by a transport that is not the driver's own.
	put := func(ctx context.Context, t *testing.T, server *cannedServer) error {
		d := server.openDriver(t, func(c *Config) {
			c.HTTPClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		})
		_, err := d.Put(ctx, wiretest.Put("a", "hello"))
		return err
	}

	t.Run("the connection is cut", func(t *testing.T) {
		server := newCannedServer(t, reply{Cut: true})
		require.ErrorIs(t, put(t.Context(), t, server), storage.OutcomeUnknown)
	})

	t.Run("the caller cancels", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		server := newCannedServer(t, created)
		server.Before = func(*http.Request) {
			cancel()
		}
		require.ErrorIs(t, put(ctx, t, server), storage.OutcomeUnknown)
	})

	t.Run("no server listens", func(t *testing.T) {
		server := newCannedServer(t)
		server.Close()
		err := put(t.Context(), t, server)
		require.Error(t, err)
		require.NotErrorIs(t, err, storage.OutcomeUnknown)
	})
}
