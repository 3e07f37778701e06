package s3

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// Each response of S3 becomes an error with the right code and hint. The error says whether and when
// a retry makes sense, and contains the error of the SDK.
func TestErrorCodes(t *testing.T) {
	tests := []struct {
		name           string
		reply          reply
		wantCode       storage.Code
		wantRetryable  bool
		wantRetryAfter time.Duration
		wantHint       string // part of the hint
	}{
		{
			name:     "AccessDenied",
			reply:    errorReply(403, "AccessDenied", ""),
			wantCode: storage.PermissionDenied,
			wantHint: "may not",
		},
		{
			name:     "a key made for another service",
			reply:    errorReply(403, "InvalidAccessKeyId", ""),
			wantCode: storage.Unauthenticated,
			wantHint: "another service",
		},
		{
			name:     "a key that versitygw does not know",
			reply:    errorReply(404, "XAdminUserNotFound", ""),
			wantCode: storage.Unauthenticated,
			wantHint: "another service",
		},
		{
			name:     "a wrong secret",
			reply:    errorReply(403, "SignatureDoesNotMatch", ""),
			wantCode: storage.Unauthenticated,
			wantHint: "secret",
		},
		{
			name:     "an expired token",
			reply:    errorReply(400, "ExpiredToken", ""),
			wantCode: storage.Unauthenticated,
			wantHint: "token",
		},
		{
			name:          "a wrong clock",
			reply:         errorReply(403, "RequestTimeTooSkewed", ""),
			wantCode:      storage.Unauthenticated,
			wantRetryable: true,
			wantHint:      "clock",
		},
		{
			name:           "429 with seconds in Retry-After",
			reply:          reply{Status: 429, Header: map[string]string{"Retry-After": "7"}},
			wantCode:       storage.RateLimited,
			wantRetryable:  true,
			wantRetryAfter: 7 * time.Second,
		},
		{
			name:          "429 TooManyRequests",
			reply:         errorReply(429, "TooManyRequests", ""),
			wantCode:      storage.RateLimited,
			wantRetryable: true,
		},
		{
			name: "503 with a date in Retry-After",
			reply: reply{
				Status: 503,
				Header: map[string]string{
					"Retry-After": "Fri, 02 Jan 2026 03:04:08 GMT",
					"Date":        "Fri, 02 Jan 2026 03:04:05 GMT",
				},
			},
			wantCode:       storage.Unavailable,
			wantRetryable:  true,
			wantRetryAfter: 3 * time.Second,
		},
		{name: "SlowDown", reply: errorReply(503, "SlowDown", ""), wantCode: storage.RateLimited, wantRetryable: true},
		{
			name:          "ServiceUnavailable",
			reply:         errorReply(503, "ServiceUnavailable", ""),
			wantCode:      storage.Unavailable,
			wantRetryable: true,
		},
		{
			name:          "ServiceUnavailable with the message of SlowDown",
			reply:         errorReply(503, "ServiceUnavailable", "Please reduce your request rate."),
			wantCode:      storage.RateLimited,
			wantRetryable: true,
		},
		{
			name:          "InternalError",
			reply:         errorReply(500, "InternalError", ""),
			wantCode:      storage.Unavailable,
			wantRetryable: true,
		},
		{
			name:          "RequestTimeout",
			reply:         errorReply(400, "RequestTimeout", ""),
			wantCode:      storage.Unavailable,
			wantRetryable: true,
		},
		{
			name:          "OperationAborted",
			reply:         errorReply(409, "OperationAborted", ""),
			wantCode:      storage.Unavailable,
			wantRetryable: true,
		},
		{name: "an unknown conflict", reply: errorReply(409, "WhoKnows", ""), wantCode: storage.Internal},
		{
			name:     "a server that stores keys as files",
			reply:    errorReply(409, "ObjectParentIsFile", ""),
			wantCode: storage.Unsupported,
			wantHint: "a and a/b",
		},
		{
			name:     "a full store",
			reply:    errorReply(507, "XMinioStorageFull", ""),
			wantCode: storage.Internal,
			wantHint: "free some space",
		},
		{name: "NotImplemented", reply: errorReply(501, "NotImplemented", ""), wantCode: storage.Unsupported},
		{
			name:     "ACLs disabled",
			reply:    errorReply(400, "AccessControlListNotSupported", ""),
			wantCode: storage.Unsupported,
			wantHint: "ACLs disabled",
		},
		{name: "EntityTooLarge", reply: errorReply(400, "EntityTooLarge", ""), wantCode: storage.TooLarge},
		{
			name:     "MetadataTooLarge",
			reply:    errorReply(400, "MetadataTooLarge", ""),
			wantCode: storage.InvalidArgument,
		},
		{
			name:     "InvalidObjectState",
			reply:    errorReply(403, "InvalidObjectState", ""),
			wantCode: storage.Archived,
			wantHint: "restore",
		},
		{
			name:     "301 with the region in a header",
			reply:    reply{Status: 301, Header: map[string]string{"X-Amz-Bucket-Region": "eu-west-1"}},
			wantCode: storage.InvalidArgument,
			wantHint: "the bucket is in region eu-west-1: set region=eu-west-1",
		},
		{
			name:     "301 with a Location, which is not followed",
			reply:    reply{Status: 301, Header: map[string]string{"Location": "http://store.invalid/"}},
			wantCode: storage.InvalidArgument,
			wantHint: "another region",
		},
		{
			name:     "307 with a Location, which is not followed",
			reply:    reply{Status: 307, Header: map[string]string{"Location": "http://store.invalid/"}},
			wantCode: storage.InvalidArgument,
			wantHint: "another region",
		},
		{
			name:     "301 without a region",
			reply:    errorReply(301, "PermanentRedirect", ""),
			wantCode: storage.InvalidArgument,
			wantHint: "another region",
		},
		{
			name: "a region in the message",
			reply: errorReply(400, "AuthorizationHeaderMalformed",
				"the region 'us-east-1' is wrong; expecting 'ap-south-1'"),
			wantCode: storage.InvalidArgument,
			wantHint: "set region=ap-south-1",
		},
		{
			name:     "400 without a code, in the wrong region",
			reply:    reply{Status: 400, Header: map[string]string{"X-Amz-Bucket-Region": "eu-west-1"}},
			wantCode: storage.InvalidArgument,
			wantHint: "set region=eu-west-1",
		},
		{
			name:     "an object-lock refusal",
			reply:    errorReply(400, "InvalidRequest", "Bucket is missing Object Lock Configuration"),
			wantCode: storage.Unsupported,
			wantHint: "WithObjectLock",
		},
		{
			name:     "an unknown code with status 403",
			reply:    errorReply(403, "WhoKnows", ""),
			wantCode: storage.PermissionDenied,
		},
		{
			name:          "the page of a proxy",
			reply:         reply{Status: 502, Body: "<html>Bad gateway</html>"},
			wantCode:      storage.Unavailable,
			wantRetryable: true,
		},
		{name: "an unknown status", reply: reply{Status: 418}, wantCode: storage.Internal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, tt.reply)
			_, _, err := server.openDriver(t, "aws").Get(t.Context(), &driver.GetRequest{
				Key:    "k",
				Length: -1,
			})

			e := &storage.Error{}
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.wantCode, e.Code, "%v", err)
			require.Equal(t, tt.wantRetryable, e.Retryable)
			require.Equal(t, tt.wantRetryAfter, e.RetryAfter)
			require.Contains(t, e.Hint, tt.wantHint)
			require.Equal(t, tt.reply.Status, e.Status)
			require.False(t, e.Unknown, "a read must have no unknown outcome")

			var api smithy.APIError
			require.ErrorAs(t, err, &api, "the SDK's own error is reachable")
			require.Len(t, server.Requests(), 1, "the SDK must retry nothing")
		})
	}
}

// If the server has no space left, Put fails with Internal. It does not fail with OutcomeUnknown,
// because nothing was stored.
func TestErrorOfFullStore(t *testing.T) {
	d := newStandIn(t, errorReply(507, "XMinioStorageFull", "")).openDriver(t, "aws")
	_, err := d.Put(t.Context(), wiretest.Put("k", "hello"))
	require.Equal(t, storage.Internal, storage.CodeOf(err))
	require.NotErrorIs(t, err, storage.OutcomeUnknown)
}

// An error has the request id of the response, by which the provider can find the request.
func TestErrorHasTheRequestID(t *testing.T) {
	d := newStandIn(t, errorReply(403, "AccessDenied", "no")).openDriver(t, "aws")
	_, _, err := d.Get(t.Context(), &driver.GetRequest{Key: "k", Length: -1})

	e := &storage.Error{}
	require.ErrorAs(t, err, &e)
	require.Equal(t, "R1", e.RequestID)
}

// If a request gets no response, the error of the call contains the reason, such as a canceled
// context or a missing host. It has the Code that fits the reason.
func TestErrorsWithoutAResponse(t *testing.T) {
	t.Run("canceled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // before the call
		bucket := engine.New(newStandIn(t).openDriver(t, "aws"))
		_, err := bucket.Attrs(ctx, "k")
		require.ErrorIs(t, err, context.Canceled)
	})

	t.Run("no such host", func(t *testing.T) {
		d := newStandIn(t).openDriver(t, "aws", func(c *Config) {
			c.Endpoint = "http://store.invalid"
		})
		_, _, err := d.Get(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
		require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)
	})

	t.Run("an untrusted certificate", func(t *testing.T) {
		d := newStandIn(t).openDriver(t, "aws", func(c *Config) {
			c.Endpoint = startTLS(t)
		})
		_, _, err := d.Get(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
		require.Equal(t, storage.Internal, storage.CodeOf(err), "%v", err)
		require.Contains(t, err.Error(), "certificate")
	})

	t.Run("a body that fails", func(t *testing.T) {
		readErr := errors.New("the disk is gone")
		r := wiretest.Put("k", "hello")
		r.Body = failingBody{readErr}
		_, err := newStandIn(t).openDriver(t, "aws").Put(t.Context(), r)
		require.ErrorIs(t, err, readErr)
		require.NotErrorIs(t, err, storage.OutcomeUnknown)
	})
}

// A failingBody is a body of five bytes. Reading it fails.
type failingBody struct{ err error }

func (b failingBody) Read([]byte) (int, error) { return 0, b.err }

// Seek returns 5 as the end of the body.
func (b failingBody) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekEnd {
		return 5, nil
	}
	return offset, nil
}

// If a write is canceled after its request was sent, its outcome is unknown.
func TestPutCanceledOutcomeUnknown(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server := newStandIn(t, reply{})
	server.Before = func(r *http.Request) {
		cancel()
		<-r.Context().Done() // Respond only after the client has closed the connection.
	}

	_, err := server.openDriver(t, "aws").Put(ctx, wiretest.Put("k", "hello"))
	require.ErrorIs(t, err, storage.OutcomeUnknown)
}

// If a gateway answers with 503 and without an error code of S3, Attrs fails with Unavailable, and
// not with RateLimited.
func TestErrorOfGateway503(t *testing.T) {
	server := newStandIn(t, reply{Status: http.StatusServiceUnavailable})
	bucket := engine.New(server.openDriver(t, "aws"), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	_, err := bucket.Attrs(t.Context(), "k")
	require.ErrorIs(t, err, storage.Unavailable)
}
