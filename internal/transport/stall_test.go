package transport

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// The tests here run on synctest's clock: a stall of 30 s takes no time. Their
// connections are pipes without any buffer.

// newPipeTransport returns a transport whose connections are pipes to a server with the handler h. A handler that must
// not respond waits for closed, which is closed at the end of the test.
func newPipeTransport(
	t *testing.T, h func(w http.ResponseWriter, r *http.Request, closed <-chan struct{}),
) *Transport {
	conns := make(chan net.Conn)
	closed := make(chan struct{})
	listener := &pipeListener{conns: conns, closed: make(chan struct{})}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h(w, r, closed)
	})}
	go func() {
		_ = server.Serve(listener)
	}()
	tr := New(Options{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		client, peer := net.Pipe()
		conns <- peer
		return client, nil
	}})
	t.Cleanup(func() {
		close(closed)
		tr.CloseIdleConnections()
		_ = server.Close()
		time.Sleep(time.Second) // net/http's server lingers for half of one
	})
	return tr
}

type pipeListener struct {
	conns  <-chan net.Conn
	closed chan struct{}
}

// Accept returns the next connection that the transport has made.
func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.closed); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

const storeURL = "http://store.invalid/key"

// A slowBody is a body whose Read delivers one byte after a pause.
type slowBody struct {
	bytes int
	pause time.Duration
}

// Read returns one byte after a pause.
func (r *slowBody) Read(p []byte) (int, error) {
	if r.bytes == 0 {
		return 0, io.EOF
	}
	time.Sleep(r.pause)
	r.bytes--
	p[0] = 'x'
	return 1, nil
}

// If the server stops in the middle of a response, the bytes before are delivered, and reading
// fails with ErrStalled after DefaultStall.
func TestStallOfAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newPipeTransport(t, func(w http.ResponseWriter, r *http.Request, closed <-chan struct{}) {
			_, _ = io.WriteString(w, "abc")
			_ = http.NewResponseController(w).Flush()
			<-closed
		})
		response, err := tr.RoundTrip(newRequest(t, t.Context(), http.MethodGet, storeURL, nil))
		require.NoError(t, err)
		start := time.Now()

		got, err := io.ReadAll(response.Body)
		require.Equal(t, "abc", string(got), "bytes from before the stall must be delivered")
		require.ErrorIs(t, err, ErrStalled)
		require.Equal(t, DefaultStall, time.Since(start))

		// The error is temporary and a timeout, so that SDKs try again.
		var temporary interface{ Temporary() bool }
		require.ErrorAs(t, err, &temporary)
		require.True(t, temporary.Temporary())

		var timeout net.Error
		require.ErrorAs(t, err, &timeout)
		require.True(t, timeout.Timeout())
		require.NoError(t, response.Body.Close())
	})
}

// A request does not count as stalled if its server, its body or the reader of its response is only slow.
// The server may pause for almost DefaultStall, and the client for as long as it likes.
func TestStallIsNone(t *testing.T) {
	const (
		nearlyStall    = DefaultStall - time.Second
		longerPause    = 10 * DefaultStall
		responseLength = 8
	)
	tests := []struct {
		name        string
		serverPause time.Duration // between two bytes that the server sends
		readerPause time.Duration // between two bytes that the client reads
		body        io.Reader     // of the request; nil for none
	}{
		{name: "a slow server", serverPause: nearlyStall},
		{name: "a slow reader of the response", readerPause: longerPause},
		{name: "a slow body of the request", body: &slowBody{bytes: 5, pause: longerPause}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newPipeTransport(t, func(w http.ResponseWriter, r *http.Request, _ <-chan struct{}) {
					_, _ = io.Copy(io.Discard, r.Body)
					for range responseLength {
						time.Sleep(tt.serverPause)
						_, _ = io.WriteString(w, "x")
						_ = http.NewResponseController(w).Flush()
					}
				})
				resp, err := tr.RoundTrip(newRequest(t, t.Context(), http.MethodPut, storeURL, tt.body))
				require.NoError(t, err)

				// The client reads the response byte by byte, to its end.
				buf := make([]byte, 1)
				for range responseLength {
					_, err := resp.Body.Read(buf)
					require.NoError(t, err)
					time.Sleep(tt.readerPause)
				}
				_, err = resp.Body.Read(buf)
				require.ErrorIs(t, err, io.EOF)
				require.NoError(t, resp.Body.Close())
			})
		})
	}
}

// If the server does not read the request, the request counts as stalled and not as sent.
func TestStallOfARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newPipeTransport(t, func(_ http.ResponseWriter, _ *http.Request, closed <-chan struct{}) {
			<-closed
		})
		body := strings.NewReader(strings.Repeat("x", 1<<20))
		start := time.Now()

		_, err := tr.RoundTrip(newRequest(t, t.Context(), http.MethodPut, storeURL, body))
		require.ErrorIs(t, err, ErrStalled)
		require.False(t, Sent(err))
		require.Equal(t, sendPatience*DefaultStall, time.Since(start))
	})
}

// If the server reads a request but does not respond, the request fails with ErrStalled after
// DefaultAnswer and counts as sent.
func TestStallWithoutAnswer(t *testing.T) {
	tests := []struct{ name, method, body string }{
		{name: "without a body", method: http.MethodDelete, body: ""},
		{name: "with a body", method: http.MethodPut, body: "hello"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// The server reads the request, and then waits for the end of the test.
				tr := newPipeTransport(t, func(_ http.ResponseWriter, r *http.Request, closed <-chan struct{}) {
					_, _ = io.Copy(io.Discard, r.Body)
					<-closed
				})
				ctx, counter := CountRequests(t.Context())
				start := time.Now()

				_, err := tr.RoundTrip(newRequest(t, ctx, tt.method, storeURL, strings.NewReader(tt.body)))
				require.ErrorIs(t, err, ErrStalled)
				require.True(t, Sent(err))
				require.Equal(t, DefaultAnswer, time.Since(start))
				require.Equal(t, 1, counter.Unanswered())
			})
		})
	}
}

// WithAnswer sets how long the server may take to respond.
func TestStallAnswerMayTakeLonger(t *testing.T) {
	const limit = 10 * time.Minute
	tests := []struct {
		name    string
		delay   time.Duration // of the response
		wantErr error
	}{
		{name: "within the limit", delay: limit - time.Minute, wantErr: nil},
		{name: "beyond the limit", delay: limit + time.Minute, wantErr: ErrStalled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newPipeTransport(t, func(_ http.ResponseWriter, r *http.Request, closed <-chan struct{}) {
					_, _ = io.Copy(io.Discard, r.Body)
					select {
					case <-closed:
					case <-time.After(tt.delay):
					}
				})
				ctx := WithAnswer(t.Context(), limit)
				response, err := tr.RoundTrip(newRequest(t, ctx, http.MethodPut, storeURL,
					strings.NewReader("copy")))
				require.ErrorIs(t, err, tt.wantErr)
				if tt.wantErr == nil {
					require.NoError(t, response.Body.Close())
				}
			})
		})
	}
}

// If ctx ends while the client waits for the response, the request counts as sent but not as
// stalled.
func TestStallIsNoCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newPipeTransport(t, func(_ http.ResponseWriter, r *http.Request, closed <-chan struct{}) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-closed
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := tr.RoundTrip(newRequest(t, ctx, http.MethodPut, storeURL, strings.NewReader("x")))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.False(t, Stalled(err))
		require.True(t, Sent(err), "the request had left before ctx ended")
	})
}

// If ctx ends during a Read of the request's body, the request returns after that Read, and no
// other one begins.
func TestReadUnderWayIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := func(_ http.ResponseWriter, r *http.Request, _ <-chan struct{}) {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		tr := newPipeTransport(t, server)

		// Each Read takes a minute, and delivers one byte. ctx ends during the first Read.
		const readTime = time.Minute
		const size = 9
		body := &slowBody{bytes: size, pause: readTime}
		ctx, cancel := context.WithTimeout(t.Context(), readTime/60)
		defer cancel()

		start := time.Now()
		_, err := tr.RoundTrip(newRequest(t, ctx, http.MethodPut, storeURL, body))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, readTime, time.Since(start))

		// There was only one Read.
		synctest.Wait()
		reads := size - body.bytes
		require.Equal(t, 1, reads)
	})
}

// If ctx ends while a Read of the request's body blocks on a pipe, the request still returns.
func TestPipeBodyIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newPipeTransport(t, func(_ http.ResponseWriter, r *http.Request, _ <-chan struct{}) {
			_, _ = io.Copy(io.Discard, r.Body)
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		body, _ := io.Pipe() // nobody writes to it

		_, err := tr.RoundTrip(newRequest(t, ctx, http.MethodPut, storeURL, body))
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// If the server responds before it has read the request, closing the response's body ends the reading of the request's
// body.
func TestEarlyAnswerLetsGoOfTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newPipeTransport(t, func(w http.ResponseWriter, r *http.Request, _ <-chan struct{}) {
			w.WriteHeader(http.StatusPreconditionFailed)
			_, _ = io.WriteString(w, "no")
		})
		body := &slowBody{bytes: 1000, pause: time.Second}

		response, err := tr.RoundTrip(newRequest(t, t.Context(), http.MethodPut, storeURL, body))
		require.NoError(t, err)
		require.Equal(t, http.StatusPreconditionFailed, response.StatusCode)

		require.NoError(t, response.Body.Close())
		remaining := body.bytes
		time.Sleep(time.Hour)
		require.Equal(t, remaining, body.bytes, "nobody may read the body after Close")
	})
}
