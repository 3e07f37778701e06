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

// Refuse does not race with http.MaxBytesHandler, which changes the header when the body exceeds
// its limit.
func TestRefuseWithALimitReached(t *testing.T) {
	responding := make(chan struct{})
	requestSent := make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		webserver.Refuse(r.Context(), w, r.Body, 4<<20, func() {
			close(responding)
			<-requestSent
			for range 1000 {
				w.Header().Set("Content-Length", "0")
			}
			w.WriteHeader(http.StatusUnauthorized)
		})
	})
	server := httptest.NewServer(http.MaxBytesHandler(handler, 10))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()

	// The client sends 5 of 100 bytes. When the handler responds, the client sends the rest, which is over
	// the limit of 10.
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

// A client that sends chunks of unknown total size for a while reads the response, instead of a
// connection reset.
func TestRefuseToAChunkedClient(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		webserver.Refuse(r.Context(), w, r.Body, 4<<20, func() {
			w.WriteHeader(http.StatusUnauthorized)
		})
	}))
	defer server.Close()

	// The client sends for half a second.
	body, feed := io.Pipe()
	go func() {
		for range 50 {
			_, _ = feed.Write(make([]byte, 32<<10))
			time.Sleep(10 * time.Millisecond)
		}
		_ = feed.Close()
	}()

	resp, err := server.Client().Post(server.URL, "text/plain", body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	require.False(t, resp.Close, "the body must be read to its end")
}

// A client that still sends a long body after the response can read the response, although the rest
// of the body is larger than the connection's buffers.
func TestRefuseBeforeALongBody(t *testing.T) {
	const size = 20 << 20
	responded := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		webserver.Refuse(r.Context(), w, r.Body, 2*size, func() {
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
