package transport

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
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newRequest returns a request that is sent under ctx.
func newRequest(t *testing.T, ctx context.Context, method, address string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, address, body)
	require.NoError(t, err)
	return r
}

// newTransport returns a transport, and a server with the handler h on a real socket.
func newTransport(t *testing.T, h http.HandlerFunc) (*Transport, *httptest.Server) {
	server := httptest.NewServer(h)
	tr := New(Options{})
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		server.Close()
	})
	return tr, server
}

// The bodies of requests and responses arrive unchanged.
func TestExchange(t *testing.T) {
	tr, server := newTransport(t, func(w http.ResponseWriter, r *http.Request) {
		if coding := r.Header.Get("Accept-Encoding"); coding != "" {
			t.Errorf("the header Accept-Encoding is %q: nothing may decompress stored bytes", coding)
		}
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})
	tests := []struct{ name, method, body string }{
		{name: "without a body", method: http.MethodGet, body: ""},
		{name: "with a body", method: http.MethodPut, body: "hello"},
		{
			name:   "with a body larger than the buffers",
			method: http.MethodPut,
			body:   strings.Repeat("x", 1<<20),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, err := tr.RoundTrip(newRequest(t, t.Context(), tt.method, server.URL,
				strings.NewReader(tt.body)))
			require.NoError(t, err)
			got, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.Equal(t, tt.body, string(got))
			require.NoError(t, response.Body.Close())
			require.NoError(t, response.Body.Close(), "Close may be called twice")
		})
	}
}

// The caller need not close a response without a body.
func TestAnswerWithoutBodyNeedsNoClose(t *testing.T) {
	tr, server := newTransport(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	resp, err := tr.RoundTrip(newRequest(t, t.Context(), http.MethodHead, server.URL, nil))
	require.NoError(t, err)
	require.Equal(t, http.NoBody, resp.Body)
}

// Requests reuse the connections of earlier requests.
func TestConnectionsAreReused(t *testing.T) {
	const parallel = 32 // requests at the same time, each of which needs a connection
	var newConns atomic.Int32
	var arrived sync.WaitGroup
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// No request ends before all parallel ones have arrived.
		arrived.Done()
		arrived.Wait()
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			newConns.Add(1)
		}
	}
	server.Start()
	tr := New(Options{})
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		server.Close()
	})

	// Send two rounds of parallel requests.
	for range 2 {
		arrived.Add(parallel)
		var round sync.WaitGroup
		for range parallel {
			round.Go(func() {
				resp, err := tr.RoundTrip(newRequest(t, t.Context(), http.MethodGet, server.URL, nil))
				if err == nil {
					_ = resp.Body.Close()
				}
			})
		}
		round.Wait()
	}

	require.EqualValues(t, parallel, newConns.Load(), "the second round must use the connections of the first")
}

// Requests use HTTP/1.1 even if the server offers HTTP/2.
func TestBulkGoesOverHTTP1(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	tr := New(Options{TLS: &tls.Config{RootCAs: roots}})
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		server.Close()
	})

	resp, err := tr.RoundTrip(newRequest(t, t.Context(), http.MethodGet, server.URL, nil))
	require.NoError(t, err)
	defer resp.Body.Close()
	proto, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1", string(proto))
}

// resetConnection ends the connection with an RST, so that the client gets no response.
func resetConnection(t *testing.T, w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).SetLinger(0))
	_ = conn.Close()
}

// If the connection is reset after the server has read the whole request, the request counts as
// sent, because the server may have acted on it.
func TestResetAfterTheRequest(t *testing.T) {
	tr, server := newTransport(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		resetConnection(t, w)
	})
	ctx, counter := CountRequests(t.Context())

	_, err := tr.RoundTrip(newRequest(t, ctx, http.MethodPut, server.URL, strings.NewReader("x")))
	require.Error(t, err)
	require.True(t, Sent(err))
	require.False(t, Stalled(err))
	require.Equal(t, 1, counter.Requests())
	require.Equal(t, 1, counter.Unanswered())
}

// A request does not count as sent if the connection is reset while its body is sent.
func TestResetWithinTheRequest(t *testing.T) {
	tr, server := newTransport(t, func(w http.ResponseWriter, r *http.Request) {
		resetConnection(t, w)
	})
	ctx, counter := CountRequests(t.Context())

	// The body has no end, so that the client still sends it when the server resets the connection.
	body, endlessWriter := io.Pipe()
	go func() {
		for {
			if _, err := endlessWriter.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	}()

	_, err := tr.RoundTrip(newRequest(t, ctx, http.MethodPut, server.URL, body))
	require.Error(t, err)
	require.False(t, Sent(err), "a server that saw part of a body cannot act on it")
	require.Equal(t, 1, counter.Requests())
	require.Zero(t, counter.Unanswered())
}

// If the connection ends within a response, reading the body fails with io.ErrUnexpectedEOF.
func TestCutAnswer(t *testing.T) {
	tr, server := newTransport(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "0123456789")
	})
	ctx, counter := CountRequests(t.Context())
	response, err := tr.RoundTrip(newRequest(t, ctx, http.MethodGet, server.URL, nil))
	require.NoError(t, err)

	got, err := io.ReadAll(response.Body)
	require.Equal(t, "0123456789", string(got))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)

	require.NoError(t, response.Body.Close())
	require.Zero(t, counter.Unanswered(), "a response without its whole body is a response")
}

// A request without a connection fails with the error of DialContext, and does not count as sent.
func TestConnectionFails(t *testing.T) {
	dialErr := errors.New("refused")
	tr := New(Options{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, dialErr },
	})
	_, err := tr.RoundTrip(newRequest(t, t.Context(), http.MethodPut, "http://store.invalid/",
		strings.NewReader("x")))
	require.ErrorIs(t, err, dialErr)
	require.False(t, Sent(err))
}

// If the body of a request fails, the request fails with the body's error, and does not count as
// sent.
func TestFailingBody(t *testing.T) {
	tr, server := newTransport(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	})
	bodyErr := errors.New("the disk is gone")
	body := io.MultiReader(strings.NewReader("begin"), errReader{bodyErr})
	_, err := tr.RoundTrip(newRequest(t, t.Context(), http.MethodPut, server.URL, body))
	require.ErrorIs(t, err, bodyErr)
	require.False(t, Sent(err))
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// A counter counts the requests under its context, but not those under a derived context that has
// its own counter.
func TestCountRequests(t *testing.T) {
	tr, server := newTransport(t, func(http.ResponseWriter, *http.Request) {})
	outer, outerCount := CountRequests(t.Context())
	inner, innerCount := CountRequests(outer)
	for _, ctx := range []context.Context{outer, inner, inner, t.Context()} {
		response, err := tr.RoundTrip(newRequest(t, ctx, http.MethodGet, server.URL, nil))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
	}
	require.Equal(t, 1, outerCount.Requests(), "requests under inner must not count")
	require.Equal(t, 2, innerCount.Requests())
}

// Sent recognizes the transport's errors although http.Client wraps them.
func TestErrorsThroughTheClient(t *testing.T) {
	tr, server := newTransport(t, func(w http.ResponseWriter, r *http.Request) {
		resetConnection(t, w)
	})
	client := &http.Client{Transport: tr}
	_, err := client.Do(newRequest(t, t.Context(), http.MethodPost, server.URL, strings.NewReader("x")))
	require.True(t, Sent(err), "%v", err)
}

// If a reused connection closes before the response, net/http repeats the request, which counts as
// sent only if the second response is lost too.
func TestReplayOnAnotherConnection(t *testing.T) {
	tests := []struct {
		name     string
		cuts     int  // number of attempts at the second request whose connection is closed
		wantSent bool // whether the second request fails and counts as sent
	}{
		{name: "that is answered", cuts: 1, wantSent: false},
		{name: "that is lost too", cuts: 2, wantSent: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var requests atomic.Int32
			tr, server := newTransport(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				number := int(requests.Add(1)) // 1 is the first request, the others are attempts at the second
				isCut := number > 1 && number <= 1+tt.cuts
				if isCut {
					conn, _, err := http.NewResponseController(w).Hijack()
					if err == nil {
						_ = conn.Close()
					}
					return
				}
				_, _ = w.Write(body)
			})
			sendHello := func() (string, error) {
				response, err := tr.RoundTrip(newRequest(t, t.Context(), http.MethodGet, server.URL,
					strings.NewReader("hello")))
				if err != nil {
					return "", err
				}
				body, err := io.ReadAll(response.Body)
				require.NoError(t, response.Body.Close())
				return string(body), err
			}

			// The first request leaves a connection for the second one.
			_, err := sendHello()
			require.NoError(t, err)

			got, err := sendHello()
			require.Equal(t, tt.wantSent, Sent(err))
			if !tt.wantSent {
				require.NoError(t, err)
				require.Equal(t, "hello", got, "the body must be sent again from its start")
			}
			require.EqualValues(t, 3, requests.Load(), "the first request, and two attempts at the second")
		})
	}
}

// Send uses the context that it is given, and not that of the request.
func TestSendIsUnderItsOwnContext(t *testing.T) {
	tr, server := newTransport(t, func(http.ResponseWriter, *http.Request) {})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	_, err := tr.Send(ctx, newRequest(t, t.Context(), http.MethodGet, server.URL, nil))
	require.ErrorIs(t, err, context.Canceled)

	response, err := tr.Send(t.Context(), newRequest(t, ctx, http.MethodGet, server.URL, nil))
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
}
