package sdkerror

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/transport"
)

// responseError is the error of this test's SDK for a response.
type responseError struct{ status int }

func (responseError) Error() string { return "refused" }

// errSent is the error of this test's SDK for a request that was sent and got no response.
var errSent = errors.New("the connection broke")

// newTranslator returns a Translator for this test's SDK, whose errors are responseError and errSent.
func newTranslator() *Translator {
	return &Translator{
		FromResponse: func(err error) *storage.Error {
			var response responseError
			if !errors.As(err, &response) {
				return nil
			}
			return &storage.Error{Code: CodeFromStatus(response.status), Status: response.status, Err: err}
		},
		WithoutResponse: func(err error) *storage.Error {
			return &storage.Error{Code: storage.Unavailable, Err: err}
		},
		MaybeSent: func(err error) bool {
			return errors.Is(err, errSent)
		},
		MaybeApplied: MaybeApplied,
	}
}

// The outcome of a failed write is unknown if the server may have executed it.
func TestWriteSetsUnknownIfItMayHaveTakenEffect(t *testing.T) {
	tests := []struct {
		name    string
		err     error
		unknown bool
	}{
		{name: "200, whose body was cut off", err: responseError{200}, unknown: true},
		{name: "500, a failure of the server", err: responseError{500}, unknown: true},
		{name: "502, of a gateway", err: responseError{502}, unknown: true},
		{name: "504, of a gateway", err: responseError{504}, unknown: true},
		{name: "499, of a gateway that misses the client", err: responseError{499}, unknown: true},
		{name: "507, of a gateway's disk", err: responseError{507}, unknown: true},
		{name: "520, of a gateway", err: responseError{520}, unknown: true},
		{name: "503, a refusal", err: responseError{503}, unknown: false},
		{name: "501, a refusal", err: responseError{501}, unknown: false},
		{name: "412, a condition that does not hold", err: responseError{412}, unknown: false},
		{
			name:    "a whole request through our transport",
			err:     &transport.Error{Sent: true, Err: errSent},
			unknown: true,
		},
		{name: "a request through another transport", err: errSent, unknown: true},
		{name: "no connection", err: &net.OpError{Op: "dial", Err: errSent}, unknown: false},
		{name: "no error of an HTTP client", err: errors.New("no such key file"), unknown: false},
		{
			name:    "an error of the body or the credentials",
			err:     &storage.Error{Code: storage.BodyFailed, Err: errSent},
			unknown: false,
		},
		{
			name:    "an error that is already Unknown",
			err:     &storage.Error{Code: storage.Unavailable, Unknown: true},
			unknown: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := newTranslator().Write(t.Context(), func(context.Context) error {
				return tt.err
			})
			require.Equal(t, tt.unknown, errors.Is(err, storage.OutcomeUnknown), "%v", err)
		})
	}
}

// Write asks the transport whether a request was sent, even if an SDK hides the transport's error.
func TestWriteAsksTheTransportWhatWasSent(t *testing.T) {
	// The server closes each connection without a response.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}))
	t.Cleanup(server.Close)
	client, tr := transport.NewClient(nil)
	t.Cleanup(tr.CloseIdleConnections)

	// remove sends a request and hides the error of the transport, as an SDK may.
	remove := func(ctx context.Context, t *testing.T, address string) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodDelete, address, nil)
		require.NoError(t, err)
		resp, err := client.Do(req)
		if err != nil {
			return errSent
		}
		_ = resp.Body.Close()
		return errors.New("got a response")
	}

	tests := []struct {
		name    string
		address string
		unknown bool // whether the request may have taken effect
	}{
		{name: "sent, but no response", address: server.URL, unknown: true},
		{name: "no server listens there", address: "http://127.0.0.1:1", unknown: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := newTranslator().Write(t.Context(), func(ctx context.Context) error {
				return remove(ctx, t, tt.address)
			})
			require.Error(t, err)
			require.Equal(t, tt.unknown, errors.Is(err, storage.OutcomeUnknown), "%v", err)
		})
	}
}

// The outcome of a write is unknown if an SDK drops the response and returns another error, as
// azcore does when ctx has ended.
func TestWriteResponseDropped(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	client, tr := transport.NewClient(nil)
	t.Cleanup(tr.CloseIdleConnections)

	err := newTranslator().Write(t.Context(), func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, server.URL, nil)
		require.NoError(t, err)
		resp, err := client.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return errSent
	})
	require.ErrorIs(t, err, storage.OutcomeUnknown)
}

// A storage.Error is not translated again, but copied for a caller that may change it.
func TestTranslateKeepsStorageErrors(t *testing.T) {
	translator := newTranslator()
	unauthenticated := &storage.Error{Code: storage.Unauthenticated, Hint: "log in"}

	require.NoError(t, translator.Read(nil))
	require.Equal(t, unauthenticated, translator.Read(unauthenticated))
	require.NotSame(t, unauthenticated, translator.Translate(unauthenticated), "the result must be a copy")
	require.Equal(t, storage.Unsupported, translator.Translate(storage.Unsupported).Code)

	require.Same(t, unauthenticated, translator.AsError(unauthenticated))
	require.Equal(t, storage.PreconditionFailed, translator.AsError(responseError{412}).Code)
}

// WithHint returns a copy of the error with another hint.
func TestWithHint(t *testing.T) {
	original := &storage.Error{Code: storage.PermissionDenied, Hint: "first"}
	want := &storage.Error{Code: storage.PermissionDenied, Hint: "second"}
	require.Equal(t, want, WithHint(original, "second"))
	require.Equal(t, "first", original.Hint, "the original must not change")

	require.NoError(t, WithHint(nil, "second"))
	require.Equal(t, errSent, WithHint(errSent, "second"))
}

// If there is no response, WithoutResponse finds the code and the hint from the error of the network.
func TestWithoutResponseOnTheNetwork(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want storage.Error
	}{
		{
			name: "a certificate",
			err:  &tls.CertificateVerificationError{},
			want: storage.Error{
				Code: storage.Internal,
				Hint: "the server's certificate is not trusted or is for another host",
			},
		},
		{
			name: "no such host",
			err:  &net.DNSError{IsNotFound: true},
			want: storage.Error{
				Code:      storage.Unavailable,
				Retryable: true,
				Hint:      "no such host: check the endpoint, the region and the account's name",
			},
		},
		{
			name: "an unreachable name server",
			err:  &net.DNSError{},
			want: storage.Error{Code: storage.Unavailable, Retryable: true},
		},
		{
			name: "canceled",
			err:  &transport.Error{Err: context.Canceled},
			want: storage.Error{Code: storage.Canceled},
		},
		{
			name: "a deadline",
			err:  context.DeadlineExceeded,
			want: storage.Error{Code: storage.DeadlineExceeded},
		},
		{
			name: "a silent peer",
			err:  &transport.Error{Err: errors.Join(transport.ErrStalled, context.Canceled)},
			want: storage.Error{Code: storage.Unavailable, Retryable: true},
		},
		{
			name: "too many open files",
			err: &transport.Error{Err: &net.OpError{
				Op:  "dial",
				Err: os.NewSyscallError("socket", syscall.EMFILE),
			}},
			want: storage.Error{
				Code:      storage.RateLimited,
				Retryable: true,
				Hint:      "raise the limit of open files (ulimit -n), or make fewer calls at once",
			},
		},
		{
			name: "a dropped connection",
			err:  &net.OpError{Op: "read", Err: errSent},
			want: storage.Error{Code: storage.Unavailable, Retryable: true},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Err = tt.err
			const isInterrupted = false // only the error itself shows what happened
			require.Equal(t, &tt.want, WithoutResponse(tt.err, isInterrupted))
		})
	}
}

// An error without a response is Unavailable if the request was sent, and otherwise Internal.
func TestWithoutResponse(t *testing.T) {
	cause := errors.New("failed")
	tests := []struct {
		name string
		sent bool
		want *storage.Error
	}{
		{
			name: "sent",
			sent: true,
			want: &storage.Error{Code: storage.Unavailable, Retryable: true, Err: cause},
		},
		{
			name: "not sent",
			sent: false,
			want: &storage.Error{Code: storage.Internal, Err: cause},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, WithoutResponse(cause, tt.sent))
		})
	}

	t.Run("canceled", func(t *testing.T) {
		require.Equal(t, storage.Canceled, WithoutResponse(context.Canceled, true).Code)
	})
}

// NotFound tells a missing object from a missing bucket by the error of a request for the bucket.
func TestNotFound(t *testing.T) {
	tests := []struct {
		name      string
		bucketErr error
		want      storage.Error
	}{
		{
			name:      "the bucket exists",
			bucketErr: nil,
			want:      storage.Error{Code: storage.ObjectNotFound, Status: 404},
		},
		{
			name:      "the bucket does not exist",
			bucketErr: &storage.Error{Status: 404},
			want:      storage.Error{Code: storage.BucketNotFound, Status: 404, Hint: "hint"},
		},
		{
			name:      "no permission to see the bucket",
			bucketErr: &storage.Error{Status: 403},
			want:      storage.Error{Code: storage.ObjectNotFound, Status: 404},
		},
		{
			name:      "nothing is known",
			bucketErr: &storage.Error{Code: storage.Canceled},
			want:      storage.Error{Code: storage.Canceled},
		},
		{
			name:      "the bucket is unavailable",
			bucketErr: &storage.Error{Code: storage.Unavailable, Status: 503, Retryable: true},
			want:      storage.Error{Code: storage.Unavailable, Status: 503, Retryable: true},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := &storage.Error{Code: storage.ObjectNotFound, Status: 404}
			require.Equal(t, &tt.want, NotFound(err, tt.bucketErr, "hint"))
		})
	}
}

// FromListing takes ObjectNotFound for a missing bucket, and keeps other errors and their hints.
func TestFromListing(t *testing.T) {
	const hint = "hint"
	tests := []struct {
		name string
		err  *storage.Error
		want *storage.Error
	}{
		{
			name: "no object",
			err:  &storage.Error{Code: storage.ObjectNotFound},
			want: &storage.Error{Code: storage.BucketNotFound, Hint: hint},
		},
		{
			name: "no bucket, with a hint",
			err:  &storage.Error{Code: storage.BucketNotFound, Hint: "its own"},
			want: &storage.Error{Code: storage.BucketNotFound, Hint: "its own"},
		},
		{
			name: "another error",
			err:  &storage.Error{Code: storage.PermissionDenied},
			want: &storage.Error{Code: storage.PermissionDenied},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, FromListing(tt.err, hint))
		})
	}
}

// CodeFromStatus returns what a status means if the response has no known code.
func TestCodeFromStatus(t *testing.T) {
	tests := []struct {
		status int
		want   storage.Code
	}{
		{status: 200, want: storage.Unavailable},
		{status: 302, want: storage.Internal},
		{status: 304, want: storage.NotModified},
		{status: 404, want: storage.ObjectNotFound},
		{status: 409, want: storage.Internal},
		{status: 412, want: storage.PreconditionFailed},
		{status: 416, want: storage.RangeNotSatisfiable},
		{status: 418, want: storage.Internal},
		{status: 429, want: storage.RateLimited},
		{status: 499, want: storage.Unavailable},
		{status: 501, want: storage.Unsupported},
		{status: 503, want: storage.Unavailable},
		{status: 505, want: storage.Unavailable},
		{status: 507, want: storage.Unavailable},
		{status: 520, want: storage.Unavailable},
		{status: 524, want: storage.Unavailable},
		{status: 598, want: storage.Unavailable},
	}
	for _, tt := range tests {
		t.Run(strconv.Itoa(tt.status), func(t *testing.T) {
			require.Equal(t, tt.want, CodeFromStatus(tt.status))
		})
	}
}

// A call can be repeated after RateLimited and Unavailable.
func TestIsRetryable(t *testing.T) {
	require.True(t, IsRetryable(storage.RateLimited))
	require.True(t, IsRetryable(storage.Unavailable))
	require.False(t, IsRetryable(storage.Internal))
}

// withShortText cuts off the end of an error's text that is too long.
func TestWithShortText(t *testing.T) {
	require.NoError(t, withShortText(nil))

	short := errors.New("refused: " + strings.Repeat("é", 100))
	require.Equal(t, short, withShortText(short))

	long := errors.New("x" + strings.Repeat("é", maxText))
	got := withShortText(long)
	require.ErrorIs(t, got, long)
	require.LessOrEqual(t, len(got.Error()), maxText+len("…"))
	require.True(t, utf8.ValidString(got.Error()), "the text must be cut between characters")
}
