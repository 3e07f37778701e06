package serve

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
)

// Close cuts off an upload whose body never ends, waits for its handler, and stores nothing of it.
func TestServerCloseEndsUnfinishedUpload(t *testing.T) {
	started := make(chan struct{})
	finished := false
	driver := memstore.NewDriver(memstore.Config{})

	// The hook closes the channel "started" when the upload begins. It sets finished when the
	// upload ends.
	watchUpload := func(
		_ context.Context, op storage.Operation,
	) (context.Context, func(storage.Outcome), error) {
		if op.Name != "Upload" {
			return nil, nil, nil
		}
		close(started)
		return nil, func(storage.Outcome) {
			finished = true
		}, nil
	}
	server, err := NewServer(func(baseURL string) (storage.Bucket, error) {
		return engine.New(driver, storage.WithSigningBaseURL(baseURL), storage.WithHook(watchUpload)), nil
	})
	require.NoError(t, err)
	server.patience = time.Millisecond // for which Close waits before it cuts off requests
	signed, err := server.Bucket.SignedUploadURL(t.Context(), "key")
	require.NoError(t, err)

	// A client sends the beginning of an upload.
	conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
	require.NoError(t, err)
	defer func() {
		require.NoError(t, conn.Close())
	}()
	r, err := signed.Request(t.Context(), nil)
	require.NoError(t, err)

	// The request announces 100 bytes, but sends fewer.
	header := "PUT " + r.URL.RequestURI() + " HTTP/1.1\r\nHost: " + r.URL.Host + "\r\nContent-Length: 100\r\n"
	for name, values := range r.Header {
		header += name + ": " + values[0] + "\r\n"
	}
	_, err = io.WriteString(conn, header+"\r\nnot all of it")
	require.NoError(t, err)
	<-started

	// Close cuts off the upload after server.patience, and waits for its end.
	server.Close()
	require.True(t, finished)

	// The server has closed its bucket, so another bucket shows what is in the store.
	exists, err := engine.New(driver).Exists(t.Context(), "key")
	require.NoError(t, err)
	require.False(t, exists)

	// The port is closed, too.
	_, err = http.Get(server.URL)
	require.Error(t, err)
}

// Close does not wait for a connection on which no request has come. Browsers open such connections
// in advance.
func TestServerCloseIgnoresIdleConnections(t *testing.T) {
	server, err := NewServer(func(baseURL string) (storage.Bucket, error) {
		return memstore.New(storage.WithSigningBaseURL(baseURL)), nil
	})
	require.NoError(t, err)
	server.patience = time.Hour // for which Close would wait for a request in progress
	idle, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
	require.NoError(t, err)
	defer func() {
		require.NoError(t, idle.Close())
	}()

	server.Close()

	_, err = idle.Read(make([]byte, 1))
	require.Error(t, err, "the server closed the connection")
}
