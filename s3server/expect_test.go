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

// The server responds to a refused upload before its body. boto3 sends "Expect: 100-continue" with each upload,
// and may wait for that response.
func TestExpectContinueRefused(t *testing.T) {
	s := startServer(t, s3server.Config{})
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.server.URL, "http://"))
	require.NoError(t, err)
	defer func() {
		require.NoError(t, connection.Close())
	}()
	require.NoError(t, connection.SetDeadline(time.Now().Add(5*time.Minute)))
	_, err = io.WriteString(connection,
		"PUT /"+bucket+"/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	require.NoError(t, err)

	answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, answer.StatusCode)
	require.True(t, answer.Close)
	require.NoError(t, answer.Body.Close())
}

// If an upload with "Expect: 100-continue" has no bytes, the server still sends "100 Continue". Otherwise boto3
// misreads later responses of the connection.
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

	line, err := bufio.NewReader(connection).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100 Continue\r\n", line)
}
