package clamd_test

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/uploads/clamd"
)

// With IfDown: Accept, a clamd whose queue of connections is full does not count as down. If it
// did, files would pass without a scan whenever many uploads come at once.
func TestFullQueueIsNotDown(t *testing.T) {
	testserver.Slow(t)
	dir, err := os.MkdirTemp("", "clamd")
	require.NoError(t, err)
	defer func() {
		_ = os.RemoveAll(dir)
	}()

	// Nobody accepts connections on the socket, and its queue has room for one.
	path := filepath.Join(dir, "socket")
	socket, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	defer func() {
		_ = syscall.Close(socket)
	}()
	require.NoError(t, syscall.Bind(socket, &syscall.SockaddrUnix{Name: path}))
	require.NoError(t, syscall.Listen(socket, 0))

	// The scanner would accept files if clamd were down.
	f := newScanner(t, clamd.Config{Address: "unix://" + path, IfDown: clamd.Accept, Timeout: 100 * time.Millisecond})
	f.scanner.SetPrompt(2 * time.Second)

	t.Run("no room for the scan", func(t *testing.T) {
		// Another connection fills the queue.
		waiting, err := net.Dial("unix", path)
		require.NoError(t, err)
		defer waiting.Close()
		require.ErrorIs(t, f.scan(t, "content"), storage.Unavailable)

		// Empty the queue.
		accepted, _, err := syscall.Accept(socket)
		require.NoError(t, err)
		require.NoError(t, syscall.Close(accepted))
	})

	// The connection of the scan enters the queue, but clamd does not accept it.
	t.Run("room only for the scan", func(t *testing.T) {
		require.ErrorIs(t, f.scan(t, "content"), storage.Unavailable)
	})
	require.Empty(t, f.accepted, "a file has passed without a scan")
}
