package s3server_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// The server refuses an upload with "Expect: 100-continue" before it gets the body, because a client such as boto3 may
// wait for that response.
func TestExpectContinueRefused(t *testing.T) {
	s := startServer(t, s3server.Config{})
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.server.URL, "http://"))
	require.NoError(t, err)
	defer func() {
		require.NoError(t, connection.Close())
	}()
	require.NoError(t, connection.SetDeadline(time.Now().Add(5*time.Minute)))

	// Send only the head of a request without a signature.
	_, err = io.WriteString(connection,
		"PUT /"+bucket+"/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	require.NoError(t, err)

	// The response comes without the body, and the connection is then closed.
	resp, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, resp.StatusCode)
	require.True(t, resp.Close)
	require.NoError(t, resp.Body.Close())
}

// The server sends "100 Continue" even for an upload without bytes, because boto3 otherwise misreads later responses.
func TestExpectContinueWithoutBytes(t *testing.T) {
	s := startServer(t, s3server.Config{})
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.server.URL, "http://"))
	require.NoError(t, err)
	defer func() {
		require.NoError(t, connection.Close())
	}()
	require.NoError(t, connection.SetDeadline(time.Now().Add(5*time.Minute)))

	_, err = io.WriteString(connection,
		"PUT /"+bucket+"/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n")
	require.NoError(t, err)

	// The status 100 comes before the final response.
	line, err := bufio.NewReader(connection).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100 Continue\r\n", line)
}
