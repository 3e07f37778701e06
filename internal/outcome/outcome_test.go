package outcome

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/transport"
)

// refused is the answer of a service, as this test's SDK tells of it.
type refused struct{ status int }

func (refused) Error() string { return "refused" }

var errSent = errors.New("the connection broke")

func sdk() *SDK {
	return &SDK{
		Answered: func(err error) *storage.Error {
			var answer refused
			if !errors.As(err, &answer) {
				return nil
			}
			return &storage.Error{Code: OfStatus(answer.status), Status: answer.status, Err: err}
		},
		Unanswered: func(err error) *storage.Error { return &storage.Error{Code: storage.Unavailable, Err: err} },
		Left:       func(err error) bool { return errors.Is(err, errSent) },
		Acted:      MayHaveActed,
	}
}

func TestAWriteIsUnknownWhereItMayHaveHadItsEffect(t *testing.T) {
	for _, row := range []struct {
		name string
		err  error
		want bool
	}{
		{"500", refused{500}, true},
		{"502", refused{502}, true},
		{"504", refused{504}, true},
		{"200 that broke off", refused{200}, true},
		{"503 is a refusal", refused{503}, false},
		{"412", refused{412}, false},
		{"sent whole, over a client of ours", &transport.Error{Sent: true, Err: errSent}, true},
		{"sent over another's client", errSent, true},
		{"never dialled", &net.OpError{Op: "dial", Err: errSent}, false},
		{"nothing of an HTTP client", errors.New("no such key file"), false},
		{"of the body, or the credentials", &storage.Error{Code: storage.BodyFailed, Err: errSent}, false},
		{"said so already", &storage.Error{Code: storage.Unavailable, Unknown: true}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := sdk().Write(t.Context(), func(context.Context) error { return row.err })
			require.Equal(t, row.want, errors.Is(err, storage.OutcomeUnknown), "%v", err)
		})
	}
}

func TestOurTransportKnowsWhatLeft(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}))
	t.Cleanup(server.Close)
	client, own := transport.NewClient(nil)
	t.Cleanup(own.CloseIdleConnections)
	ask := func(ctx context.Context, address string) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodDelete, address, nil)
		require.NoError(t, err)
		answer, err := client.Do(r)
		if err == nil {
			_ = answer.Body.Close()
			return errors.New("an answer came")
		}
		return errSent // an SDK may hide what the transport said
	}
	err := sdk().Write(t.Context(), func(ctx context.Context) error { return ask(ctx, server.URL) })
	require.ErrorIs(t, err, storage.OutcomeUnknown, "it left, and no answer came")
	err = sdk().Write(t.Context(), func(ctx context.Context) error { return ask(ctx, "http://127.0.0.1:1") })
	require.NotErrorIs(t, err, storage.OutcomeUnknown, "nobody listens there")
}

func TestErrorsOfOursPassAsTheyAre(t *testing.T) {
	own := &storage.Error{Code: storage.Unauthenticated, Hint: "log in"}
	require.NoError(t, sdk().Read(nil))
	require.Equal(t, own, sdk().Read(own))
	require.NotSame(t, own, sdk().Translate(own), "a copy: it is changed by who asked for it")
	require.Same(t, own, sdk().AsError(own))
	require.Equal(t, storage.Unsupported, sdk().Translate(storage.Unsupported).Code)
	require.Equal(t, storage.PreconditionFailed, sdk().AsError(refused{412}).Code)
}

func TestHints(t *testing.T) {
	first := &storage.Error{Code: storage.PermissionDenied, Hint: "first"}
	require.Equal(t, &storage.Error{Code: storage.PermissionDenied, Hint: "second"}, WithHint(first, "second"))
	require.Equal(t, "first", first.Hint, "it may be another's")
	require.NoError(t, WithHint(nil, "second"))
	require.Equal(t, errSent, WithHint(errSent, "second"))
}

func TestFailuresOfTheNetwork(t *testing.T) {
	hints := Hints{Host: "the host", Certificate: "the certificate"}
	for _, row := range []struct {
		name  string
		err   error
		hints Hints
		want  storage.Error
	}{
		{"a certificate", &tls.CertificateVerificationError{}, hints, storage.Error{Code: storage.Internal, Hint: "the certificate"}},
		{"no such host", &net.DNSError{IsNotFound: true}, hints, storage.Error{Code: storage.Unavailable, Retryable: true, Hint: "the host"}},
		{"a name server that is away", &net.DNSError{}, hints, storage.Error{Code: storage.Unavailable, Retryable: true}},
		{"canceled", &transport.Error{Err: context.Canceled}, hints, storage.Error{Code: storage.Canceled}},
		{"a deadline", context.DeadlineExceeded, hints, storage.Error{Code: storage.DeadlineExceeded}},
		{"a silent peer", &transport.Error{Err: errors.Join(transport.ErrStalled, context.Canceled)}, hints, storage.Error{Code: storage.Unavailable, Retryable: true}},
		{"a dropped connection", &net.OpError{Op: "read", Err: errSent}, hints, storage.Error{Code: storage.Unavailable, Retryable: true}},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.want.Err = row.err
			require.Equal(t, &row.want, OfNetwork(row.err, row.hints))
		})
	}
	require.Nil(t, OfNetwork(errors.New("boom"), hints))
}

func TestWhatIsMissing(t *testing.T) {
	for _, row := range []struct {
		name   string
		looked *storage.Error
		want   storage.Error
	}{
		{"the bucket is there", nil, storage.Error{Code: storage.ObjectNotFound, Status: 404}},
		{"the bucket is not", &storage.Error{Status: 404}, storage.Error{Code: storage.BucketNotFound, Status: 404, Hint: "hint"}},
		{"the bucket may not be looked at", &storage.Error{Status: 403}, storage.Error{Code: storage.ObjectNotFound, Status: 404}},
		{"nothing is known", &storage.Error{Code: storage.Canceled}, storage.Error{Code: storage.Canceled}},
		{"not now", &storage.Error{Code: storage.Unavailable, Status: 503, Retryable: true}, storage.Error{Code: storage.Unavailable, Status: 503, Retryable: true}},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.Equal(t, &row.want, Missing(&storage.Error{Code: storage.ObjectNotFound, Status: 404}, row.looked, "hint"))
		})
	}
	require.Equal(t, &storage.Error{Code: storage.BucketNotFound, Hint: "hint"}, OfListing(&storage.Error{Code: storage.ObjectNotFound}, "hint"))
	require.Equal(t, &storage.Error{Code: storage.BucketNotFound, Hint: "its own"}, OfListing(&storage.Error{Code: storage.BucketNotFound, Hint: "its own"}, "hint"))
	require.Equal(t, &storage.Error{Code: storage.PermissionDenied}, OfListing(&storage.Error{Code: storage.PermissionDenied}, "hint"))
}

func TestStatuses(t *testing.T) {
	for status, want := range map[int]storage.Code{
		200: storage.Unavailable, 304: storage.NotModified, 302: storage.Internal, 404: storage.ObjectNotFound, 409: storage.Internal,
		412: storage.PreconditionFailed, 416: storage.RangeNotSatisfiable, 418: storage.Internal, 429: storage.RateLimited, 503: storage.Unavailable, 505: storage.Internal,
	} {
		require.Equal(t, want, OfStatus(status), status)
	}
	require.True(t, Passes(storage.RateLimited))
	require.True(t, Passes(storage.Unavailable))
	require.False(t, Passes(storage.Internal))
}
