package webserver_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/webserver"
)

// While Refuse responds, http.MaxBytesHandler does not change the header of the response, as it does when the
// body exceeds its limit. The race detector would find it.
func TestRefuseWithALimitReached(t *testing.T) {
	const (
		maxDrained  = 4 << 20 // bytes of the body that Refuse reads at most
		bodyLimit   = 10      // bytes after which http.MaxBytesHandler changes the header
		headerSteps = 1000    // changes of the header, so that a race has time to happen
	)
	responding := make(chan struct{})
	requestSent := make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		webserver.Refuse(r.Context(), w, r.Body, maxDrained, func() {
			close(responding)
			<-requestSent
			for range headerSteps {
				w.Header().Set("Content-Length", "0")
			}
			w.WriteHeader(http.StatusUnauthorized)
		})
	})
	server := httptest.NewServer(http.MaxBytesHandler(handler, bodyLimit))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()

	// The client sends 5 of 100 bytes. When the handler responds, the client sends the rest, which exceeds
	// bodyLimit.
	_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n12345")
	require.NoError(t, err)
	<-responding
	_, err = io.WriteString(conn, strings.Repeat("x", 95))
	require.NoError(t, err)
	close(requestSent)

	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	require.True(t, resp.Close)
}

// A client that sends a body of unknown length for half a second gets the response of Refuse, instead of a
// connection reset.
func TestRefuseToAChunkedClient(t *testing.T) {
	const maxDrained = 4 << 20 // bytes of the body that Refuse reads at most, more than the client sends
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		webserver.Refuse(r.Context(), w, r.Body, maxDrained, func() {
			w.WriteHeader(http.StatusUnauthorized)
		})
	}))
	defer server.Close()

	// The client sends 50 chunks.
	body, bodyWriter := io.Pipe()
	go func() {
		for range 50 {
			_, _ = bodyWriter.Write(make([]byte, 32<<10))
			time.Sleep(10 * time.Millisecond)
		}
		_ = bodyWriter.Close()
	}()

	resp, err := server.Client().Post(server.URL, "text/plain", body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	require.False(t, resp.Close, "the body must be read to its end")
}

// A client that sends a long body only after the response can read that response, because Refuse reads the
// body. Otherwise the client would block, since the body is larger than the connection's buffers.
func TestRefuseBeforeALongBody(t *testing.T) {
	const (
		size       = 20 << 20
		maxDrained = 2 * size // bytes of the body that Refuse reads at most
	)
	responded := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		webserver.Refuse(r.Context(), w, r.Body, maxDrained, func() {
			w.WriteHeader(http.StatusUnauthorized)
			close(responded)
		})
	}))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()

	// The client sends the body after the server has responded.
	_, err = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size)
	require.NoError(t, err)
	<-responded
	_, err = conn.Write(make([]byte, size))
	require.NoError(t, err)

	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
}
