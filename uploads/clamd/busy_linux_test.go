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

// With IfDown: Accept, a clamd whose queue of connections is full does not count as down. Otherwise, files would pass
// without a scan when many uploads come at once.
func TestFullQueueIsNotDown(t *testing.T) {
	testserver.Slow(t)
	dir, err := os.MkdirTemp("", "clamd")
	require.NoError(t, err)
	defer func() {
		_ = os.RemoveAll(dir)
	}()

	// A socket on which nobody accepts connections has room for one of them in its queue.
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

	t.Run("before the scan", func(t *testing.T) {
		waiting, err := net.Dial("unix", path) // the only one for which the queue has room
		require.NoError(t, err)
		defer waiting.Close()
		require.ErrorIs(t, f.scan(t, "content"), storage.Unavailable)

		accepted, _, err := syscall.Accept(socket)
		require.NoError(t, err)
		require.NoError(t, syscall.Close(accepted))
	})

	// The queue has room again, and the connection of this scan stays in it.
	t.Run("after the scan", func(t *testing.T) {
		require.ErrorIs(t, f.scan(t, "content"), storage.Unavailable)
	})
	require.Empty(t, f.accepted)
}
