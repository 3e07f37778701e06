package azure

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// Each error code of Azure maps to a Code, and is retryable or not. The error wraps the SDK's error.
func TestErrorCodes(t *testing.T) {
	tests := []struct {
		azureCode   string
		status      int
		want        storage.Code
		isRetryable bool
	}{
		// For a write, only the container can be missing.
		{azureCode: "BlobNotFound", status: 404, want: storage.BucketNotFound},
		{azureCode: "ContainerNotFound", status: 404, want: storage.BucketNotFound},
		{azureCode: "ContainerBeingDeleted", status: 409, want: storage.BucketNotFound},
		{azureCode: "ContainerAlreadyExists", status: 409, want: storage.BucketExists},
		{azureCode: "ConditionNotMet", status: 412, want: storage.PreconditionFailed},
		{azureCode: "SourceConditionNotMet", status: 412, want: storage.Changed},
		{azureCode: "InvalidRange", status: 416, want: storage.RangeNotSatisfiable},
		{azureCode: "InvalidMetadata", status: 400, want: storage.InvalidArgument},
		{azureCode: "AuthenticationFailed", status: 403, want: storage.Unauthenticated},
		{azureCode: "NoAuthenticationInformation", status: 401, want: storage.Unauthenticated},
		{azureCode: "AuthorizationFailure", status: 403, want: storage.PermissionDenied},
		{azureCode: "AuthorizationPermissionMismatch", status: 403, want: storage.PermissionDenied},
		{azureCode: "PublicAccessNotPermitted", status: 409, want: storage.PermissionDenied},
		{azureCode: "ServerBusy", status: 503, want: storage.RateLimited, isRetryable: true},
		{azureCode: "InternalError", status: 500, want: storage.Unavailable, isRetryable: true},
		{azureCode: "OperationTimedOut", status: 500, want: storage.Unavailable, isRetryable: true},
		{azureCode: "AccountBeingCreated", status: 409, want: storage.Unavailable, isRetryable: true},
		{azureCode: "RequestBodyTooLarge", status: 413, want: storage.TooLarge},
		{azureCode: "Md5Mismatch", status: 400, want: storage.ChecksumMismatch},
		{azureCode: "BlobArchived", status: 409, want: storage.Archived},
		{azureCode: "LeaseIdMissing", status: 412, want: storage.Locked},
		{azureCode: "UnsupportedHeader", status: 400, want: storage.Unsupported},
		{azureCode: "FeatureVersionMismatch", status: 409, want: storage.Unsupported},
		{azureCode: "SomethingThatNobodyKnows", status: 409, want: storage.Internal},
		{azureCode: "SomethingElseThatNobodyKnows", status: 400, want: storage.InvalidArgument},
	}

	for _, tt := range tests {
		t.Run(tt.azureCode, func(t *testing.T) {
			server := newCannedServer(t, errorReply(tt.status, tt.azureCode))
			_, err := server.openDriver(t).Put(t.Context(), wiretest.Put("a", ""))

			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.want, e.Code)
			require.Equal(t, tt.isRetryable, e.Retryable)
			require.Equal(t, tt.status, e.Status)
			require.Equal(t, "R1", e.RequestID)
			require.Equal(t, tt.azureCode+": What went wrong.", e.Err.Error())

			// A caller can find the SDK's error.
			var answer *azcore.ResponseError
			require.ErrorAs(t, err, &answer)
			require.Equal(t, tt.azureCode, answer.ErrorCode)
		})
	}
}

// retryAfter returns the delay that Azure sends in milliseconds, in seconds or as a date, or 0 if
// there is none.
func TestRetryAfter(t *testing.T) {
	tests := []struct {
		name   string
		header http.Header
		want   time.Duration
	}{
		{name: "seconds", header: http.Header{"Retry-After": {"7"}}, want: 7 * time.Second},
		{
			name:   "milliseconds",
			header: http.Header{"X-Ms-Retry-After-Ms": {"250"}, "Retry-After": {"7"}},
			want:   250 * time.Millisecond,
		},
		{
			name:   "a date",
			header: http.Header{"Retry-After": {"Fri, 20 Nov 2026 12:00:09 GMT"}, "Date": {lastModified}},
			want:   9 * time.Second,
		},
		{
			name:   "a date past",
			header: http.Header{"Retry-After": {lastModified}, "Date": {"Fri, 20 Nov 2026 12:00:09 GMT"}},
		},
		{name: "nonsense", header: http.Header{"Retry-After": {"soon"}}},
		{name: "nothing", header: http.Header{}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, retryAfter(tt.header))
		})
	}
}

// Error.RetryAfter has the delay that Azure sends.
func TestErrorRetryAfter(t *testing.T) {
	server := newCannedServer(t, reply{
		Status: 503,
		Header: map[string]string{"X-Ms-Error-Code": "ServerBusy", "Retry-After": "7"},
	})
	_, err := server.openDriver(t).Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, 7*time.Second, e.RetryAfter)
}

// Azure's response to a refused signature quotes this signature. No error of the driver shows it.
func TestErrorsContainNoSignature(t *testing.T) {
	const secret = "c2VjcmV0c2lnbmF0dXJl"
	refusal := errorReply(403, "AuthenticationFailed")
	refusal.Body = `<Error><Code>AuthenticationFailed</Code>` +
		`<Message>Server failed to authenticate the request.` + "\n" + `RequestId:R1</Message>` +
		`<AuthenticationErrorDetail>The MAC signature found in the HTTP request '` + secret + `' ` +
		`is not the same as any computed signature.</AuthenticationErrorDetail></Error>`

	tests := []struct {
		name   string
		answer reply
	}{
		{name: "an answer", answer: refusal},
		{name: "a connection that is cut", answer: reply{Cut: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.answer)
			d := server.openDriver(t, func(c *Config) { c.SASToken = "sv=2026&sig=" + secret })

			_, err := d.Put(t.Context(), wiretest.Put("a", "hello"))
			require.Error(t, err)
			require.NotContains(t, err.Error(), secret)
			require.NotContains(t, engine.New(d).Remove(t.Context(), "a").Error(), secret)

			// No wrapped error contains the secret either, except for the SDK's own error.
			for inner := err; inner != nil; inner = errors.Unwrap(inner) {
				// The text of the SDK's own error may contain the secret.
				if _, isSDKError := inner.(*azcore.ResponseError); !isSDKError {
					require.NotContains(t, inner.Error(), secret)
				}
			}

			// The request did have the signature.
			require.Equal(t, "sig="+secret+"&sv=2026", server.Last(t).RawQuery)
		})
	}
}

// An error without a response, such as one of the network or of the context, maps to a Code.
func TestErrorsWithoutAResponse(t *testing.T) {
	tests := []struct {
		name        string
		err         error
		want        storage.Code
		isRetryable bool
	}{
		{
			name:        "no such account",
			err:         &net.DNSError{IsNotFound: true},
			want:        storage.Unavailable,
			isRetryable: true,
		},
		{name: "canceled context", err: context.Canceled, want: storage.Canceled},
		{name: "exceeded deadline", err: context.DeadlineExceeded, want: storage.DeadlineExceeded},
		{name: "an unknown error", err: errors.New("what?"), want: storage.Internal},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := translate(tt.err)
			require.Equal(t, tt.want, e.Code)
			require.Equal(t, tt.isRetryable, e.Retryable)
		})
	}
}

// If no server listens, a write fails with a retryable error that says that nothing was written.
func TestErrorsWithoutAServer(t *testing.T) {
	server := newCannedServer(t)
	server.Close()

	_, err := server.openDriver(t).Put(t.Context(), wiretest.Put("a", "hello"))
	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.Unavailable, e.Code)
	require.True(t, e.Retryable)
	require.False(t, e.Unknown)
}

// A noToken is a credential that fails with an error.
type noToken struct{ err error }

// GetToken fails with the credential's error.
func (n noToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{}, n.err
}

// A call fails with Unauthenticated, and sends nothing, if there is no token.
func TestTokenErrors(t *testing.T) {
	d, err := NewDriver(t.Context(), Config{
		Bucket:     "photos",
		Account:    "acme",
		Credential: noToken{err: errors.New("the credential has none")},
	})
	require.NoError(t, err)
	defer func() {
		require.NoError(t, d.Close())
	}()

	// A read fails, and says why.
	_, err = d.Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.Unauthenticated, e.Code)
	require.ErrorContains(t, err, "the credential has none")
	require.NotEmpty(t, e.Hint)
	require.False(t, e.Retryable)

	// A write fails in the same way.
	_, err = d.Put(t.Context(), wiretest.Put("a", "x"))
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.Unauthenticated, e.Code)
	require.False(t, e.Unknown, "the error must say that nothing was sent")
}

// An error has a hint of its own if it comes from an emulator that is too old for the API version.
func TestEmulatorTooOldHint(t *testing.T) {
	tests := []struct {
		name         string
		server       string
		wantPutHint  string
		wantHeadHint string
	}{
		{name: "Azurite", server: "Azurite-Blob/3.36.0", wantPutHint: emulatorHint, wantHeadHint: emulatorHint},
		// Azure's response to a Put would name the version header in its body. The response to a HEAD has no body.
		{name: "Azure", server: "Windows-Azure-Blob/1.0", wantPutHint: "", wantHeadHint: versionHint},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			refusal := errorReply(http.StatusBadRequest, "InvalidHeaderValue")
			refusal.Header["Server"] = tt.server
			d := newCannedServer(t, refusal).openDriver(t)
			var e *storage.Error

			_, err := d.Put(t.Context(), wiretest.Put("a", ""))
			require.ErrorAs(t, err, &e)
			require.Equal(t, storage.InvalidArgument, e.Code)
			require.Equal(t, tt.wantPutHint, e.Hint)

			_, err = d.Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
			require.ErrorAs(t, err, &e)
			require.Equal(t, storage.InvalidArgument, e.Code)
			require.Equal(t, tt.wantHeadHint, e.Hint)
		})
	}
}

// If Azurite refuses the header x-ms-version, the hint says that Azurite is too old. If it refuses another header,
// there is no hint.
func TestEmulatorRefusesAnotherHeader(t *testing.T) {
	tests := []struct{ header, wantHint string }{
		{header: "x-ms-version", wantHint: emulatorHint},
		{header: "x-ms-access-tier", wantHint: ""},
	}
	for _, tt := range tests {
		t.Run(tt.header, func(t *testing.T) {
			server := newCannedServer(t, reply{
				Status: http.StatusBadRequest,
				Header: map[string]string{
					"Content-Type":    "application/xml",
					"Server":          "Azurite-Blob/3.36.0",
					"X-Ms-Request-Id": "R1",
					"X-Ms-Error-Code": "InvalidHeaderValue",
				},
				Body: "<Error><Code>InvalidHeaderValue</Code><Message>What went wrong.</Message>" +
					"<HeaderName>" + tt.header + "</HeaderName></Error>",
			})

			_, err := server.openDriver(t).Put(t.Context(), wiretest.Put("a", ""))
			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.wantHint, e.Hint)
		})
	}
}

// A call is retryable if the identity service failed temporarily, and not if it refused.
func TestIdentityServiceErrorsTemporary(t *testing.T) {
	newError := func(status int) error {
		return &azidentity.AuthenticationFailedError{RawResponse: &http.Response{
			StatusCode: status,
			Body:       http.NoBody,
			Request:    httptest.NewRequest(http.MethodGet, "http://169.254.169.254/metadata", nil),
		}}
	}
	tests := []struct {
		name string
		err  error
		want storage.Code
	}{
		{
			name: "an internal error",
			err:  newError(http.StatusInternalServerError),
			want: storage.Unavailable,
		},
		{name: "too many requests", err: newError(http.StatusTooManyRequests), want: storage.Unavailable},
		{
			name: "a metadata service that starts",
			err:  newError(http.StatusNotFound),
			want: storage.Unavailable,
		},
		{
			name: "a metadata service that is updated",
			err:  newError(http.StatusGone),
			want: storage.Unavailable,
		},
		{
			name: "no route to it",
			err:  &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH},
			want: storage.Unavailable,
		},
		{name: "a refusal", err: newError(http.StatusForbidden), want: storage.Unauthenticated},
		{name: "an unknown client", err: newError(http.StatusBadRequest), want: storage.Unauthenticated},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket, err := Open(t.Context(), Config{
				Bucket:     "photos",
				Account:    "acme",
				Credential: noToken{err: tt.err},
			}, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
			require.NoError(t, err)
			defer func() {
				require.NoError(t, storage.Close(bucket))
			}()

			_, err = bucket.Attrs(t.Context(), "k")
			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.want, e.Code)
			require.Equal(t, tt.want == storage.Unavailable, e.Retryable)
			require.False(t, e.Unknown)
		})
	}
}

// A call fails with InvalidArgument and a hint if Azure refuses a key for its characters.
// https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
// https://github.com/Azure/azure-storage-azcopy/issues/2421
// https://github.com/Azure/azure-storage-node/issues/385
func TestKeysThatAzureRefuses(t *testing.T) {
	// The web server in front of Azure refuses the URL. Its response lacks the headers of the
	// service.
	refusal := reply{
		Status: http.StatusBadRequest,
		Body:   `<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN"><HTML><BODY><h2>Bad Request - Invalid URL</h2></BODY></HTML>`,
		Header: map[string]string{
			"Content-Type":  "text/html; charset=us-ascii",
			"Server":        "Microsoft-HTTPAPI/2.0",
			requestIDHeader: "",
			"ETag":          "",
		},
	}
	for _, key := range []string{"a\u0081", "a\uF003", "a\uFFFD"} {
		t.Run(fmt.Sprintf("%+q", key), func(t *testing.T) {
			bucket := engine.New(newCannedServer(t, refusal).openDriver(t))
			_, uploadErr := bucket.Upload(t.Context(), key, strings.NewReader("x"))
			_, attrsErr := bucket.Attrs(t.Context(), key)

			for _, err := range []error{uploadErr, attrsErr} {
				require.ErrorIs(t, err, storage.InvalidArgument)
				require.Equal(t, charactersHint, asError(err).Hint)
			}
		})
	}
}

// An old Config.APIVersion has smaller limits for a part, and for an object that is sent in one
// request. https://learn.microsoft.com/azure/storage/blobs/scalability-targets
func TestDescribeOldServiceLimits(t *testing.T) {
	old := newCannedServer(t).openDriver(t, func(c *Config) {
		c.APIVersion = "2019-07-07"
	})
	require.EqualValues(t, 100<<20, old.Describe().MaxPartSize)
	require.EqualValues(t, 256<<20, old.Describe().MaxPutSize)
	require.EqualValues(t, 100<<20, old.copier.blockSize())
	require.Zero(t, old.Describe().MaxBatch, "this version must have no batches")

	recent := newCannedServer(t).openDriver(t, func(c *Config) {
		c.APIVersion = largeBlocksVersion
	})
	require.EqualValues(t, 4000<<20, recent.Describe().MaxPartSize)
	require.EqualValues(t, 256<<20, recent.copier.blockSize())
}

// Put sends the tier of WithStorageClass. Without this option, it sends and returns no tier,
// because a new object gets the tier of the object that it replaces.
// https://learn.microsoft.com/azure/storage/blobs/access-tiers-overview
func TestPutWithoutStorageClass(t *testing.T) {
	for _, class := range []string{"", "Cool"} {
		t.Run("class "+class, func(t *testing.T) {
			server := newCannedServer(t, created)
			req := wiretest.Put("a", "x")
			req.StorageClass = class
			attrs, err := server.openDriver(t).Put(t.Context(), req)
			require.NoError(t, err)
			require.Equal(t, class, attrs.StorageClass)
			require.Equal(t, class, server.Last(t).Header.Get("X-Ms-Access-Tier"))
		})
	}
}
