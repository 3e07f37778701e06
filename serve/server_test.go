package serve_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
)

// closing counts how often a bucket is closed.
type closing struct {
	driver.Driver
	n *int
}

func (c closing) Close() error {
	*c.n++
	return c.Driver.Close()
}

// startServer returns a server of a bucket in memory.
func startServer(t *testing.T, opts ...storage.OpenOption) *serve.Server {
	t.Helper()
	server, err := serve.NewServer(func(baseURL string) (storage.Bucket, error) {
		return memstore.New(append(opts, storage.WithSigningBaseURL(baseURL))...), nil
	})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	return server
}

// A Server serves the URLs that its bucket signs.
func TestServerServesSignedAddresses(t *testing.T) {
	server := startServer(t, storage.WithPublicAccess(true))
	require.Regexp(t, `^http://(127\.0\.0\.1|\[::1\]):\d+$`, server.URL)

	up, err := server.Bucket.SignedUploadURL(t.Context(), "a key.txt")
	require.NoError(t, err)
	r, err := up.Request(t.Context(), strings.NewReader("data"))
	require.NoError(t, err)
	response, err := client.Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)

	down, err := server.Bucket.SignedDownloadURL(t.Context(), "a key.txt")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(down.URL, server.URL+"/"))
	require.Equal(t, "data", fetch(t, http.MethodGet, down.URL, down.Header).body)
}

// Several Servers can run at the same time.
func TestServerSeveralAtOnce(t *testing.T) {
	require.NotEqual(t, startServer(t).URL, startServer(t).URL)
}

// If open fails or returns no bucket, NewServer fails and closes its listener.
func TestServerOpenFails(t *testing.T) {
	failure := errors.New("failed")
	var address string
	_, err := serve.NewServer(func(baseURL string) (storage.Bucket, error) {
		address = strings.TrimPrefix(baseURL, "http://")
		return nil, failure
	})
	require.ErrorIs(t, err, failure)

	_, err = net.Dial("tcp", address)
	require.Error(t, err, "the listener is closed")

	_, err = serve.NewServer(func(string) (storage.Bucket, error) {
		return nil, nil
	})
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// Concurrent calls of Close close the bucket once, and all wait until it is closed.
func TestServerClosesBucketOnce(t *testing.T) {
	closes := 0 // of the bucket
	countCloses := func(d driver.Driver) driver.Driver {
		return closing{Driver: d, n: &closes}
	}
	server := startServer(t, driver.WithLayer(countCloses))

	// After each call has returned, the bucket is closed.
	const callers = 3
	closesAtReturn := make(chan int, callers)
	for range callers {
		go func() {
			server.Close()
			closesAtReturn <- closes
		}()
	}
	for range callers {
		require.Equal(t, 1, <-closesAtReturn)
	}
	require.False(t, isListening(server))
}

// isListening reports whether the server accepts connections.
func isListening(server *serve.Server) bool {
	conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

// Close waits for requests in progress, and closes the bucket after they have ended.
func TestServerCloseWaitsForRequests(t *testing.T) {
	// The layer counts how often the bucket is closed. The hook tells the test when the upload begins and ends.
	closes := 0
	closesAtEnd := -1 // closes when the upload ends
	requestStarted := make(chan struct{})
	countCloses := func(d driver.Driver) driver.Driver { return closing{d, &closes} }
	watchUpload := func(
		_ context.Context, op storage.Operation,
	) (context.Context, func(storage.Outcome), error) {
		if op.Name != "Upload" {
			return nil, nil, nil
		}
		close(requestStarted)
		return nil, func(storage.Outcome) {
			closesAtEnd = closes
		}, nil
	}
	server := startServer(t, driver.WithLayer(countCloses), storage.WithHook(watchUpload))
	up, err := server.Bucket.SignedUploadURL(t.Context(), "key")
	require.NoError(t, err)

	// A client sends the first half of an upload.
	const firstHalf, secondHalf = "first, ", "then"
	body, bodyWriter := io.Pipe()
	r, err := up.Request(t.Context(), body)
	require.NoError(t, err)
	r.ContentLength = int64(len(firstHalf + secondHalf))

	statuses := make(chan int)
	go func() {
		status := 0
		if response, err := client.Do(r); err == nil {
			status = response.StatusCode
			_ = response.Body.Close()
		}
		statuses <- status
	}()

	_, err = io.WriteString(bodyWriter, firstHalf)
	require.NoError(t, err)
	<-requestStarted

	// Call Close. It has begun when it has ended a connection on which no request has come.
	idle, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
	require.NoError(t, err)
	defer func() {
		require.NoError(t, idle.Close())
	}()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		server.Close()
	}()

	_, err = idle.Read(make([]byte, 1))
	require.Error(t, err, "the connection must be closed")

	// The client sends the second half.
	_, err = io.WriteString(bodyWriter, secondHalf)
	require.NoError(t, err)
	require.NoError(t, bodyWriter.Close())
	require.Equal(t, http.StatusOK, <-statuses)

	// Close returns after it has closed the bucket, once and after the upload.
	<-closed
	require.Zero(t, closesAtEnd, "the bucket is closed last")
	require.Equal(t, 1, closes)
}
