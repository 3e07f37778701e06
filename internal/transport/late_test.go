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

// onWire returns a transport for one connection, whose other end serve gets. If ownTransport is true, it is
// one over an http.Transport of the caller.
func onWire(t *testing.T, ownTransport bool, serve func(net.Conn)) *Transport {
	dial := func(context.Context, string, string) (net.Conn, error) {
		client, peer := net.Pipe()
		t.Cleanup(func() { _ = peer.Close() })
		go serve(peer)
		return client, nil
	}
	if !ownTransport {
		return New(Options{DialContext: dial})
	}
	base := &http.Transport{DialContext: dial}
	t.Cleanup(base.CloseIdleConnections)
	return Over(base)
}

// If a server responds early and then sends nothing more, the body of the response ends after DefaultStall,
// without an error.
func TestStallOfAnEarlyAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := onWire(t, false, func(c net.Conn) {
			r := bufio.NewReader(c)
			_, _ = http.ReadRequest(r)
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\nx")
			_, _ = io.Copy(io.Discard, r)
		})
		body := struct{ io.Reader }{&slowly{bytes: 10, pause: 10 * time.Second}}
		start := time.Now()
		response, err := tr.RoundTrip(newRequest(t, t.Context(), http.MethodPut, anywhere, body))
		require.NoError(t, err)

		text, err := io.ReadAll(response.Body)
		require.NoError(t, err, "the status tells enough")
		require.Equal(t, "x", string(text))
		require.LessOrEqual(t, time.Since(start), 10*time.Second+DefaultStall)
		require.NoError(t, response.Body.Close())
	})
}

// If the server accepts a connection but never answers the TLS handshake, the request fails and counts as not
// sent.
func TestStallOfAHandshake(t *testing.T) {
	tests := []struct {
		name  string
		own   bool
		takes time.Duration
	}{
		{name: "by the library's transport", own: false, takes: dialTimeout},
		{name: "by a transport of the caller", own: true, takes: DefaultStall},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := onWire(t, tt.own, func(c net.Conn) {
					_, _ = io.Copy(io.Discard, c)
				})
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				ctx, _ = CountRequests(ctx)
				start := time.Now()

				_, err := tr.RoundTrip(newRequest(t, ctx, http.MethodGet, "https://store.invalid/key", nil))
				require.Error(t, err)
				require.False(t, Sent(err))
				require.Equal(t, tt.takes, time.Since(start))
			})
		})
	}
}

// exits ends the goroutine that reads it, as a test's FailNow does.
type exits struct{}

func (exits) Read([]byte) (int, error) {
	runtime.Goexit()
	return 0, nil
}

// If Read of a body calls runtime.Goexit, the request fails at once and counts as not sent.
func TestBodyEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := onWire(t, false, func(c net.Conn) {
			_, _ = io.Copy(io.Discard, c)
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()

		_, err := tr.RoundTrip(newRequest(t, ctx, http.MethodPut, anywhere, exits{}))
		require.Error(t, err)
		require.False(t, Sent(err))
		require.Zero(t, time.Since(start))
	})
}
