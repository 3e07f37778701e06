package wiretest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// RefusesSlowBody checks that h responds to a request to path with 401 within a second, even if the
// client sends the body very slowly.
func RefusesSlowBody(t *testing.T, h http.Handler, path string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		client, peer := net.Pipe()
		listener := &oneConn{conn: peer, closed: make(chan struct{})}
		server := &http.Server{Handler: h}
		go func() { _ = server.Serve(listener) }() // returns ErrServerClosed

		// The client sends the header of a body of 8 MiB, and then a byte every five seconds.
		start := time.Now()
		_, err := io.WriteString(client, "POST "+path+" HTTP/1.1\r\nHost: x\r\n"+
			"Content-Type: application/octet-stream\r\nContent-Length: 8388608\r\n\r\n")
		require.NoError(t, err)
		go sendSlowly(client)

		// The response comes at once.
		require.NoError(t, client.SetReadDeadline(start.Add(time.Hour)))
		resp, err := http.ReadResponse(bufio.NewReader(client), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
		require.True(t, resp.Close, "the rest of the body must not be taken for a request")
		require.LessOrEqual(t, time.Since(start), time.Second)

		require.NoError(t, client.Close())
		require.NoError(t, server.Close())
		time.Sleep(time.Minute) // longer than the goroutines of the server need to end
	})
}

// sendSlowly writes a byte every five seconds until the connection is closed.
func sendSlowly(conn net.Conn) {
	for {
		time.Sleep(5 * time.Second)
		if _, err := io.WriteString(conn, "x"); err != nil {
			return
		}
	}
}

// A oneConn is a net.Listener that accepts only one connection.
type oneConn struct {
	conn   net.Conn
	closed chan struct{}
}

// Accept returns the connection once, and then waits for Close.
func (l *oneConn) Accept() (net.Conn, error) {
	conn := l.conn
	if conn == nil {
		<-l.closed
		return nil, net.ErrClosed
	}
	l.conn = nil
	return conn, nil
}
func (l *oneConn) Close() error   { close(l.closed); return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }
