package filesapi_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/uploads/filesapi"
)

// A client that is still sending its upload can read the response that refuses it.
func TestRefusalReachesSendingClient(t *testing.T) {
	const size = 8 << 20 // bytes
	api := newAPI(t, newMemoryFixture(t, filesapi.StoreConfig{}), filesapi.HandlerConfig{})
	address, err := url.Parse(api.url)
	require.NoError(t, err)

	// A lost response would be seen only in some attempts, so the test makes ten.
	for range 10 {
		// Send a whole request that names no user, and read the response only after that.
		connection, err := net.Dial("tcp", address.Host)
		require.NoError(t, err)
		_, err = io.WriteString(connection, "POST "+address.Path+"/files HTTP/1.1\r\n"+
			"Host: x\r\n"+
			"Connection: close\r\n"+
			"Content-Type: multipart/form-data; boundary=b\r\n"+
			"Content-Length: "+strconv.Itoa(size)+"\r\n\r\n"+
			strings.Repeat("x", size))
		require.NoError(t, err, "the body could not be sent")

		// The response arrives although the handler has not read the body.
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusUnauthorized, response.StatusCode)

		_, err = io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.NoError(t, connection.Close())
	}
}

// If a client sends "Expect: 100-continue" and the handler refuses its request, the handler does
// not ask for the body.
func TestRefusalOfWaitingClient(t *testing.T) {
	api := newAPI(t, newMemoryFixture(t, filesapi.StoreConfig{}), filesapi.HandlerConfig{})
	address, err := url.Parse(api.url)
	require.NoError(t, err)
	connection, err := net.Dial("tcp", address.Host)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, connection.Close())
	}()

	// Announce a body of 8 MiB, and send none of it.
	require.NoError(t, connection.SetDeadline(time.Now().Add(time.Minute)))
	_, err = io.WriteString(connection, "POST "+address.Path+"/files HTTP/1.1\r\n"+
		"Host: x\r\n"+
		"Expect: 100-continue\r\n"+
		"Content-Length: 8388608\r\n\r\n")
	require.NoError(t, err)

	// The first line would be "100 Continue" if the handler asked for the body.
	status, err := bufio.NewReader(connection).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, status, "401")
}
