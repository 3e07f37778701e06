package sdkerror

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
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

var errSent = errors.New("the connection broke")

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
			return &storage.Error{
				Code: storage.Unavailable,
				Err:  err,
			}
		},
		MaybeSent:    func(err error) bool { return errors.Is(err, errSent) },
		MaybeApplied: MaybeApplied,
	}
}

// The outcome of a failed write is unknown if the server may have executed it.
func TestWriteSetsUnknownIfItMayHaveTakenEffect(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want bool
	}{
		{name: "500", err: responseError{500}, want: true},
		{name: "502", err: responseError{502}, want: true},
		{name: "504", err: responseError{504}, want: true},
		{name: "200 whose body was cut off", err: responseError{200}, want: true},
		{name: "503 is a refusal", err: responseError{503}, want: false},
		{name: "499, the client seemed gone", err: responseError{499}, want: true},
		{name: "501 is a refusal", err: responseError{501}, want: false},
		{name: "507, of a gateway's disk", err: responseError{507}, want: true},
		{name: "520, of a gateway", err: responseError{520}, want: true},
		{name: "412", err: responseError{412}, want: false},
		{
			name: "sent whole, through our transport",
			err:  &transport.Error{Sent: true, Err: errSent},
			want: true,
		},
		{name: "sent through another transport", err: errSent, want: true},
		{name: "no connection", err: &net.OpError{Op: "dial", Err: errSent}, want: false},
		{name: "not from an HTTP client", err: errors.New("no such key file"), want: false},
		{
			name: "from the body or the credentials",
			err:  &storage.Error{Code: storage.BodyFailed, Err: errSent},
			want: false,
		},
		{name: "Unknown already", err: &storage.Error{Code: storage.Unavailable, Unknown: true}, want: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := newTranslator().Write(t.Context(), func(context.Context) error { return tt.err })
			require.Equal(t, tt.want, errors.Is(err, storage.OutcomeUnknown), "%v", err)
		})
	}
}

// If an SDK hides the transport's error, Write still knows from the transport whether the request was sent.
func TestWriteAsksTheTransportWhatWasSent(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}))
	t.Cleanup(server.Close)
	client, tr := transport.NewClient(nil)
	t.Cleanup(tr.CloseIdleConnections)
	send := func(ctx context.Context, address string) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodDelete, address, nil)
		require.NoError(t, err)
		response, err := client.Do(r)
		if err == nil {
			_ = response.Body.Close()
			return errors.New("got a response")
		}
		return errSent // an SDK may hide the transport's error
	}

	err := newTranslator().Write(t.Context(),
		func(ctx context.Context) error { return send(ctx, server.URL) })
	require.ErrorIs(t, err, storage.OutcomeUnknown, "it was sent and got no response")
	err = newTranslator().Write(t.Context(),
		func(ctx context.Context) error { return send(ctx, "http://127.0.0.1:1") })
	require.NotErrorIs(t, err, storage.OutcomeUnknown, "no server listens there")
}

// If ctx ends when a response comes, the retry policy of azcore returns the error of ctx. The outcome of the write
// is then unknown.
func TestWriteResponseDropped(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	client, tr := transport.NewClient(nil)
	t.Cleanup(tr.CloseIdleConnections)
	err := newTranslator().Write(t.Context(), func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPut, server.URL, nil)
		require.NoError(t, err)
		response, err := client.Do(r)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return errSent
	})
	require.ErrorIs(t, err, storage.OutcomeUnknown)
}

// An error that is a storage.Error already is not translated again.
func TestTranslateKeepsStorageErrors(t *testing.T) {
	e := &storage.Error{Code: storage.Unauthenticated, Hint: "log in"}
	require.NoError(t, newTranslator().Read(nil))
	require.Equal(t, e, newTranslator().Read(e))
	require.NotSame(t, e, newTranslator().Translate(e), "the caller may change it")
	require.Same(t, e, newTranslator().AsError(e))
	require.Equal(t, storage.Unsupported, newTranslator().Translate(storage.Unsupported).Code)
	require.Equal(t, storage.PreconditionFailed, newTranslator().AsError(responseError{412}).Code)
}

// WithHint returns a copy of the error with another hint.
func TestWithHint(t *testing.T) {
	first := &storage.Error{Code: storage.PermissionDenied, Hint: "first"}
	require.Equal(t, &storage.Error{
		Code: storage.PermissionDenied,
		Hint: "second",
	}, WithHint(first, "second"))
	require.Equal(t, "first", first.Hint, "the original may be shared")
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
		{name: "too many open files", err: &transport.Error{Err: &net.OpError{
			Op:  "dial",
			Err: os.NewSyscallError("socket", syscall.EMFILE),
		}}, want: storage.Error{
			Code:      storage.RateLimited,
			Retryable: true,
			Hint:      "raise the limit of open files (ulimit -n), or make fewer calls at once",
		}},
		{
			name: "a dropped connection",
			err:  &net.OpError{Op: "read", Err: errSent},
			want: storage.Error{Code: storage.Unavailable, Retryable: true},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Err = tt.err
			require.Equal(t, &tt.want, WithoutResponse(tt.err, false))
		})
	}
}

// An error that is none of the network counts as Unavailable if the request was sent, and as Internal
// otherwise.
func TestWithoutResponse(t *testing.T) {
	boom := errors.New("boom")
	require.Equal(t, storage.Canceled, WithoutResponse(context.Canceled, true).Code)
	require.Equal(t, &storage.Error{
		Code:      storage.Unavailable,
		Retryable: true,
		Err:       boom,
	}, WithoutResponse(boom, true))
	require.Equal(t, &storage.Error{Code: storage.Internal, Err: boom}, WithoutResponse(boom, false))
}

// If a response says that an object is missing, NotFound finds out by the error of the bucket whether it is
// the bucket that is missing.
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
			require.Equal(t, &tt.want, NotFound(&storage.Error{
				Code:   storage.ObjectNotFound,
				Status: 404,
			}, tt.bucketErr, "hint"))
		})
	}
}

// If a listing fails with ObjectNotFound, its bucket is missing.
func TestFromListing(t *testing.T) {
	require.Equal(t, &storage.Error{
		Code: storage.BucketNotFound,
		Hint: "hint",
	}, FromListing(&storage.Error{Code: storage.ObjectNotFound}, "hint"))
	require.Equal(t, &storage.Error{
		Code: storage.BucketNotFound,
		Hint: "its own",
	}, FromListing(&storage.Error{Code: storage.BucketNotFound, Hint: "its own"}, "hint"))
	require.Equal(t, &storage.Error{Code: storage.PermissionDenied},
		FromListing(&storage.Error{Code: storage.PermissionDenied}, "hint"))
}

// CodeFromStatus returns what a status means if the response has no code that is known.
func TestCodeFromStatus(t *testing.T) {
	for status, want := range map[int]storage.Code{
		200: storage.Unavailable,
		304: storage.NotModified,
		302: storage.Internal,
		404: storage.ObjectNotFound,
		409: storage.Internal,
		412: storage.PreconditionFailed,
		416: storage.RangeNotSatisfiable,
		418: storage.Internal,
		429: storage.RateLimited,
		503: storage.Unavailable,
		505: storage.Unavailable,
		499: storage.Unavailable,
		501: storage.Unsupported,
		507: storage.Unavailable,
		520: storage.Unavailable,
		524: storage.Unavailable,
		598: storage.Unavailable,
	} {
		require.Equal(t, want, CodeFromStatus(status), status)
	}
	require.True(t, IsRetryable(storage.RateLimited))
	require.True(t, IsRetryable(storage.Unavailable))
	require.False(t, IsRetryable(storage.Internal))
}

// If the text of an error is too long, withShortText shows its beginning.
func TestWithShortText(t *testing.T) {
	short := errors.New("refused: " + strings.Repeat("é", 100))
	long := errors.New("x" + strings.Repeat("é", maxText))
	require.Equal(t, short, withShortText(short))

	got := withShortText(long)
	require.ErrorIs(t, got, long)
	require.LessOrEqual(t, len(got.Error()), maxText+len("…"))
	require.True(t, utf8.ValidString(got.Error()))
	require.NoError(t, withShortText(nil))
}
