package transport

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// dialTo returns a function that dials a connection. It runs serve with the other end of the connection.
func dialTo(
	t *testing.T, serve func(conn net.Conn),
) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		client, peer := net.Pipe()
		t.Cleanup(func() { _ = peer.Close() })
		go serve(peer)
		return client, nil
	}
}

// If a server responds before it has read the request and then sends nothing more, the body of the
// response ends after DefaultStall, without an error.
func TestStallOfAnEarlyAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The server responds when it has read the headers of the request. It sends one byte of 100.
		tr := New(Options{DialContext: dialTo(t, func(conn net.Conn) {
			r := bufio.NewReader(conn)
			_, _ = http.ReadRequest(r)
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\nx")
			_, _ = io.Copy(io.Discard, r)
		})})

		// The body of the request has one byte in ten seconds.
		const pause = 10 * time.Second
		body := struct{ io.Reader }{&slowBody{bytes: 10, pause: pause}}
		start := time.Now()
		resp, err := tr.RoundTrip(newRequest(t, t.Context(), http.MethodPut, storeURL, body))
		require.NoError(t, err)

		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, "x", string(text))
		require.LessOrEqual(t, time.Since(start), pause+DefaultStall)
		require.NoError(t, resp.Body.Close())
	})
}

// If a server accepts a connection but does not answer the TLS handshake, the request fails and
// does not count as sent.
func TestStallOfAHandshake(t *testing.T) {
	tests := []struct {
		name    string
		isOwn   bool // whether the caller gives an http.Transport of its own
		timeout time.Duration
	}{
		{name: "by the library's transport", isOwn: false, timeout: dialTimeout},
		{name: "by a transport of the caller", isOwn: true, timeout: DefaultStall},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// The server reads what it is sent, and sends nothing.
				dial := dialTo(t, func(conn net.Conn) {
					_, _ = io.Copy(io.Discard, conn)
				})
				tr := New(Options{DialContext: dial})
				if tt.isOwn {
					own := &http.Transport{DialContext: dial}
					t.Cleanup(own.CloseIdleConnections)
					tr = Over(own)
				}
				// The deadline of the context comes much later.
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				ctx, _ = CountRequests(ctx)

				start := time.Now()
				_, err := tr.RoundTrip(newRequest(t, ctx, http.MethodGet, "https://store.invalid/key", nil))
				require.Error(t, err)
				require.False(t, Sent(err))
				require.Equal(t, tt.timeout, time.Since(start))
			})
		})
	}
}

// An exitingBody ends the goroutine that reads it, as a test's FailNow does.
type exitingBody struct{}

func (exitingBody) Read([]byte) (int, error) {
	runtime.Goexit()
	return 0, nil
}

// If Read of a body ends its goroutine with runtime.Goexit, the request fails at once and does not
// count as sent.
func TestBodyEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := New(Options{DialContext: dialTo(t, func(conn net.Conn) {
			_, _ = io.Copy(io.Discard, conn)
		})})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()

		_, err := tr.RoundTrip(newRequest(t, ctx, http.MethodPut, storeURL, exitingBody{}))
		require.Error(t, err)
		require.False(t, Sent(err))
		require.Zero(t, time.Since(start))
	})
}
