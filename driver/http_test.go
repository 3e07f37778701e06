package driver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// newServer starts a server on a real socket, which calls h for each request.
func newServer(t *testing.T, h http.HandlerFunc) *httptest.Server {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

// cutOff ends the connection without a response.
func cutOff(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func newClient(t *testing.T, transport http.RoundTripper) *http.Client {
	client := &http.Client{Transport: transport}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// put sends body and returns the error as a driver does.
func put(ctx context.Context, client *http.Client, address string, body io.Reader) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, address, body)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return NetworkError(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return StatusError(response)
	}
	if _, err = io.ReadAll(response.Body); err != nil {
		return NetworkError(err)
	}
	return nil
}

type failingBody struct{ err error }

func (b failingBody) Read([]byte) (int, error) { return 0, b.err }

// The error of SendWrite is OutcomeUnknown if the request may have taken effect. It does not show the signature in the
// URL.
func TestWriteSetsUnknown(t *testing.T) {
	bodyFailed := &storage.Error{Code: storage.BodyFailed, Err: errors.New("the disk failed")}
	tests := []struct {
		name        string
		handler     http.HandlerFunc
		bodyErr     error // of reading the body, or nil
		want        storage.Code
		wantUnknown bool // whether the error is OutcomeUnknown
	}{
		{name: "success", handler: status(http.StatusOK)},
		{name: "refused", handler: status(http.StatusPreconditionFailed), want: storage.PreconditionFailed},
		{name: "overloaded", handler: status(http.StatusServiceUnavailable), want: storage.Unavailable},
		{
			name:        "server error",
			handler:     status(http.StatusInternalServerError),
			want:        storage.Unavailable,
			wantUnknown: true,
		},
		{
			name:        "unexpected success",
			handler:     status(http.StatusAccepted),
			want:        storage.Unavailable,
			wantUnknown: true,
		},
		{name: "closed without a response", handler: cutOff, want: storage.Unavailable, wantUnknown: true},
		{name: "body that fails", handler: cutOff, bodyErr: bodyFailed, want: storage.BodyFailed},
	}
	transports := []struct {
		name string
		new  func() http.RoundTripper
	}{
		{name: "new", new: func() http.RoundTripper { return NewTransport(TransportOptions{}) }},
		{name: "wrapped", new: func() http.RoundTripper { return WrapTransport(&http.Transport{}) }},
		{name: "of net/http", new: func() http.RoundTripper { return &http.Transport{} }},
	}
	for _, tt := range tests {
		for _, transport := range transports {
			t.Run(tt.name+"/"+transport.name, func(t *testing.T) {
				server := newServer(t, tt.handler)
				client := newClient(t, transport.new())
				var body io.Reader = strings.NewReader("hello")
				if tt.bodyErr != nil {
					body = failingBody{tt.bodyErr}
				}

				// The query stands for a signature.
				err := SendWrite(t.Context(), func(ctx context.Context) error {
					return put(ctx, client, server.URL+"/k?sig=secret", body)
				})
				require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
				require.Equal(t, tt.wantUnknown, errors.Is(err, storage.OutcomeUnknown), "%v", err)
				if err != nil {
					require.NotContains(t, err.Error(), "secret")
				}
			})
		}
	}
}

// status reads the body of a request, and answers with this status.
func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(code)
	}
}

// The error of SendWrite is not OutcomeUnknown if no connection was made.
func TestWriteWithoutConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	for _, transport := range []http.RoundTripper{NewTransport(TransportOptions{}), &http.Transport{}} {
		client := newClient(t, transport)
		err := SendWrite(t.Context(), func(ctx context.Context) error {
			return put(ctx, client, "http://"+listener.Addr().String(), strings.NewReader("hello"))
		})
		require.ErrorIs(t, err, storage.Unavailable)
		require.NotErrorIs(t, err, storage.OutcomeUnknown)
	}
}

// SendWrite translates an error of the HTTP client to its Code, and to OutcomeUnknown if there was no response.
func TestWriteTranslatesClientErrors(t *testing.T) {
	server := newServer(t, cutOff)
	client := newClient(t, NewTransport(TransportOptions{}))
	err := SendWrite(t.Context(), func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodDelete, server.URL, nil)
		require.NoError(t, err)
		_, err = client.Do(req)
		return err
	})
	require.ErrorIs(t, err, storage.Unavailable)
	require.ErrorIs(t, err, storage.OutcomeUnknown)
}

// NetworkError returns an error with the Code of the failure. The error is Retryable if a retry may help.
func TestNetworkError(t *testing.T) {
	tests := map[string]struct {
		err           error
		wantCode      storage.Code
		wantRetryable bool
	}{
		"canceled":        {err: context.Canceled, wantCode: storage.Canceled, wantRetryable: false},
		"a deadline":      {err: context.DeadlineExceeded, wantCode: storage.DeadlineExceeded, wantRetryable: false},
		"an unknown host": {err: &net.DNSError{IsNotFound: true}, wantCode: storage.Unavailable, wantRetryable: true},
		"an untrusted server": {
			err:           &tls.CertificateVerificationError{},
			wantCode:      storage.Internal,
			wantRetryable: false,
		},
		"a body that was cut off": {err: io.ErrUnexpectedEOF, wantCode: storage.Unavailable, wantRetryable: true},
		"an error of the driver": {
			err:           storage.Unauthenticated,
			wantCode:      storage.Unauthenticated,
			wantRetryable: false,
		},
		"any other error": {err: errors.New("boom"), wantCode: storage.Internal, wantRetryable: false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := NetworkError(tt.err)
			require.Equal(t, tt.wantCode, e.Code)
			require.Equal(t, tt.wantRetryable, e.Retryable)
			require.ErrorIs(t, e, tt.err)
		})
	}
}

// StatusError returns an error with the Code and the status of the response, and the delay of Retry-After.
func TestStatusError(t *testing.T) {
	e := StatusError(&http.Response{
		StatusCode: http.StatusTooManyRequests,
		Status:     "429 Too Many Requests",
		Header:     http.Header{"Retry-After": {"7"}},
	})
	require.Equal(t, storage.RateLimited, e.Code)
	require.True(t, e.Retryable)
	require.Equal(t, 7*time.Second, e.RetryAfter)
	require.Equal(t, http.StatusTooManyRequests, e.Status)
	require.ErrorContains(t, e, "429 Too Many Requests")
}

// The transport drops a connection that stalls within a response, after the time TransportOptions.Stall.
func TestTransportDropsStalledConnection(t *testing.T) {
	server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	client := newClient(t, NewTransport(TransportOptions{Stall: 50 * time.Millisecond}))
	err := put(t.Context(), client, server.URL, strings.NewReader("hello"))
	require.ErrorIs(t, err, storage.Unavailable)
}

// The transport ends a request to a server that sends no response, after the time TransportOptions.Response.
func TestTransportEndsWaitForSilentServer(t *testing.T) {
	server := newServer(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	client := newClient(t, NewTransport(TransportOptions{Response: 50 * time.Millisecond}))
	err := put(t.Context(), client, server.URL, strings.NewReader("hello"))
	require.ErrorIs(t, err, storage.Unavailable)
}

// A transport trusts a server whose certificate is in TransportOptions.TLS.
func TestTransportTrustsItsCertificates(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	trusting := newClient(t, NewTransport(TransportOptions{TLS: &tls.Config{RootCAs: roots}}))
	require.NoError(t, put(t.Context(), trusting, server.URL, http.NoBody))
}
