package gcs

import (
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// parseRelated returns the parts of a multipart/related request: the resource, and the bytes with their type.
func parseRelated(t *testing.T, s wiretest.Request) (object map[string]any, contentType, data string) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(s.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/related", kind)

	parts := multipart.NewReader(strings.NewReader(s.Body), params["boundary"])
	first, err := parts.NextRawPart()
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(first.Header.Get("Content-Type"), "application/json"))

	require.NoError(t, json.NewDecoder(first).Decode(&object))
	second, err := parts.NextRawPart()
	require.NoError(t, err)
	media, err := io.ReadAll(second)
	require.NoError(t, err)
	_, err = parts.NextRawPart()
	require.ErrorIs(t, err, io.EOF)
	return object, second.Header.Get("Content-Type"), string(media)
}

// Put sends the body with all properties and the checksum in one request.
func TestPutSendsItsChecksumInOneRequest(t *testing.T) {
	server := newCannedServer(t, storedReply)
	r := wiretest.Put("ä b+c/d", "hello world")
	r.Properties = storage.Properties{
		ContentType:        "text/plain",
		ContentEncoding:    "gzip",
		ContentDisposition: `attachment; filename="ü"`,
		ContentLanguage:    "de",
		CacheControl:       "no-store",
		Metadata:           map[string]string{"who": "Zoë"},
		StorageClass:       "NEARLINE",
	}
	r.PublicRead = true

	attrs, err := server.openDriver(t).Put(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, []string{"POST /upload/storage/v1/b/photos/o"}, server.Calls())

	req := server.Last(t)
	require.Equal(t, "multipart", req.Query().Get("uploadType"))
	require.Equal(t, "publicRead", req.Query().Get("predefinedAcl"))
	require.False(t, req.Query().Has("ifGenerationMatch"))
	require.Empty(t, req.Header.Get("Transfer-Encoding"))

	// The body has the object's fields and its bytes.
	object, contentType, data := parseRelated(t, req)
	require.Equal(t, "hello world", data)
	require.Equal(t, "text/plain", contentType)
	require.Equal(t, map[string]any{
		"name":               "ä b+c/d",
		"contentType":        "text/plain",
		"contentEncoding":    "gzip",
		"contentDisposition": `attachment; filename="ü"`,
		"contentLanguage":    "de",
		"cacheControl":       "no-store",
		"metadata":           map[string]any{"who": "Zoë"},
		"storageClass":       "NEARLINE",
		"crc32c":             "yZRlqg==",
	}, object)

	// The attributes are those of the response.
	require.Equal(t, "1700000000000001", attrs.Revision)
	require.Equal(t, "1700000000000001", attrs.Version)
	require.Equal(t, `"5eb63bbbe01eeed093cb22bb8f5acdc3"`, attrs.ETag)
	require.Equal(t, wiretest.CRC32C("hello world"), attrs.CRC32C)
	require.Len(t, attrs.MD5, 16)
	require.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), attrs.Modified)
	require.Empty(t, attrs.StorageClass)
}

// Put and BeginParts send the condition of a write as a query parameter.
func TestPutConditions(t *testing.T) {
	tests := []struct {
		name      string
		condition storage.Condition
		want      string
	}{
		{name: "none", condition: storage.Condition{}, want: ""},
		{name: "IfAbsent", condition: storage.Condition{Absent: true}, want: "0"},
		{name: "IfRevision", condition: storage.Condition{Revision: "42"}, want: "42"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, storedReply)
			d := server.openDriver(t)
			r := wiretest.Put("a", "x")
			r.Condition = tt.condition

			_, err := d.Put(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, tt.want, server.Last(t).Query().Get("ifGenerationMatch"))

			server.Respond(reply{Header: map[string]string{"Location": server.URL + sessionName}})
			_, err = d.BeginParts(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, tt.want, server.Last(t).Query().Get("ifGenerationMatch"))
		})
	}
}

// Calls with an invalid revision fail with InvalidArgument, without a request.
func TestPutInvalidRevision(t *testing.T) {
	server := newCannedServer(t)
	d := server.openDriver(t)
	revisions := []string{"x", "-1", "0", "007", "1.5", "99999999999999999999", "1&generation=2"}
	for _, revision := range revisions {
		t.Run(revision, func(t *testing.T) {
			put := wiretest.Put("a", "x")
			put.Condition.Revision = revision
			_, err := d.Put(t.Context(), put)
			require.ErrorIs(t, err, storage.InvalidArgument)

			reads := []*driver.GetRequest{
				{Key: "a", Length: -1, Version: revision},
				{Key: "a", Length: -1, Condition: storage.Condition{Revision: revision}},
				{Key: "a", Length: -1, Condition: storage.Condition{NotRevision: revision}},
			}
			for _, read := range reads {
				_, _, err = d.Get(t.Context(), read)
				require.ErrorIs(t, err, storage.InvalidArgument)
				_, err = d.Head(t.Context(), read)
				require.ErrorIs(t, err, storage.InvalidArgument)
			}

			err = d.Delete(t.Context(), &driver.DeleteRequest{Key: "a", Version: revision})
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
	require.Empty(t, server.Calls())
}

// If Put fails, its error is OutcomeUnknown only if the object may have been stored.
func TestPutFailedOutcomes(t *testing.T) {
	tests := []struct {
		name        string
		response    reply
		want        storage.Code
		wantUnknown bool
	}{
		{
			name: "condition not met",
			response: jsonError(412, "conditionNotMet",
				"At least one of the pre-conditions you specified did not hold."),
			want: storage.PreconditionFailed,
		},
		{
			name: "checksum mismatch",
			response: jsonError(400, "invalid",
				`Provided CRC32C "yZRlqg==" doesn't match calculated CRC32C "AAAAAA==".`),
			want: storage.ChecksumMismatch,
		},
		{
			name:     "bucket missing",
			response: jsonError(404, "notFound", "The specified bucket does not exist."),
			want:     storage.BucketNotFound,
		},
		{
			name:     "bucket missing, no message",
			response: reply{Status: 404},
			want:     storage.BucketNotFound,
		},
		{
			name: "public read, bucket with uniform access",
			response: jsonError(400, "invalid",
				"Cannot insert legacy ACL for an object when uniform bucket-level access is enabled."),
			want: storage.Unsupported,
		},
		{
			name: "public read, public access prevented",
			response: jsonError(412, "conditionNotMet",
				"The member bindings allUsers and allAuthenticatedUsers are not allowed since public access prevention is enforced."),
			want: storage.PermissionDenied,
		},
		{
			name: "too many writes of the object",
			response: jsonError(429, "rateLimitExceeded",
				"The object exceeded the rate limit for object mutation operations."),
			want: storage.RateLimited,
		},
		{
			name:        "service unavailable",
			response:    jsonError(503, "backendError", "Backend Error"),
			want:        storage.Unavailable,
			wantUnknown: true,
		},
		{
			name:        "internal error",
			response:    jsonError(500, "internalError", "We encountered an internal error. Please try again."),
			want:        storage.Unavailable,
			wantUnknown: true,
		},
		{name: "412 of a gateway", response: gatewayError(412), want: storage.PreconditionFailed, wantUnknown: true},
		{name: "403 of a gateway", response: gatewayError(403), want: storage.PermissionDenied, wantUnknown: true},
		{name: "503 of a gateway", response: gatewayError(503), want: storage.Unavailable, wantUnknown: true},
		{
			name: "412 of a gateway, a page with the class error",
			response: reply{
				Status: 412,
				Header: map[string]string{requestIDHeader: ""},
				Body:   `<html><body class="error">Blocked</body></html>`,
			},
			want:        storage.PreconditionFailed,
			wantUnknown: true,
		},
		{
			name: "403 of a gateway, JSON",
			response: reply{
				Status: 403,
				Header: map[string]string{requestIDHeader: ""},
				Body:   `{"error":"blocked by policy"}`,
			},
			want:        storage.PermissionDenied,
			wantUnknown: true,
		},
		{
			name: "412 of an emulator",
			response: reply{
				Status: 412,
				Header: map[string]string{requestIDHeader: ""},
				Body:   `{"error":{"code":412,"message":"Precondition Failed"}}`,
			},
			want: storage.PreconditionFailed,
		},
		{name: "no response", response: reply{Cut: true}, want: storage.Unavailable, wantUnknown: true},
		{
			name:        "response cut off",
			response:    reply{Body: `{"generation":`},
			want:        storage.Unavailable,
			wantUnknown: true,
		},
		{name: "empty response", response: reply{Body: `{}`}, want: storage.Unavailable, wantUnknown: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.response)
			_, err := server.openDriver(t).Put(t.Context(), wiretest.Put("a", "hello world"))
			var storageErr *storage.Error
			require.ErrorAs(t, err, &storageErr)
			require.Equal(t, tt.want, storageErr.Code, "%v", err)
			require.Equal(t, tt.wantUnknown, storageErr.Unknown)
			require.Len(t, server.Calls(), 1)
		})
	}
}

// If no byte of a Put was sent, its error is not OutcomeUnknown.
func TestPutUnsent(t *testing.T) {
	server := newCannedServer(t)
	d := server.openDriver(t)
	server.Close()

	_, err := d.Put(t.Context(), wiretest.Put("a", "x"))
	var storageErr *storage.Error
	require.ErrorAs(t, err, &storageErr)
	require.Equal(t, storage.Unavailable, storageErr.Code)
	require.True(t, storageErr.Retryable)
	require.False(t, storageErr.Unknown)
}

// The driver cannot know what an HTTP client other than its own has sent. If the connection was
// made and the request then fails, the request may have arrived, so Put fails with OutcomeUnknown.
func TestPutLostWithAnotherHTTPClient(t *testing.T) {
	// The server closes the connection instead of responding.
	server := newCannedServer(t, reply{Cut: true})
	setClient := func(c *Config) {
		c.HTTPClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	}
	d := server.openDriver(t, setClient)

	_, err := d.Put(t.Context(), wiretest.Put("a", "x"))
	require.ErrorIs(t, err, storage.OutcomeUnknown)

	// If no connection can be made, nothing was sent.
	server.Close()
	_, err = d.Put(t.Context(), wiretest.Put("a", "x"))
	require.NotErrorIs(t, err, storage.OutcomeUnknown)
}
