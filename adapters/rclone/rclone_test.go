package rclone

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	_ "github.com/rclone/rclone/backend/ftp"
	_ "github.com/rclone/rclone/backend/local"
	_ "github.com/rclone/rclone/backend/memory"
	_ "github.com/rclone/rclone/backend/sftp"
	_ "github.com/rclone/rclone/backend/webdav"
	_ "github.com/rclone/rclone/cmd/serve/sftp"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config/obscure"
	"github.com/rclone/rclone/fs/rc"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/storagetest"
)

var count atomic.Int64

// A backend starts what a backend of rclone needs, such as a server. It returns a function that
// gives the name of the remote at a root.
type backend func(t *testing.T) (remote func(root string) string)

var backends = map[string]backend{
	"local": func(t *testing.T) func(string) string {
		dir := t.TempDir()
		return func(root string) string { return filepath.Join(dir, root) }
	},
	"memory": func(t *testing.T) func(string) string { return func(root string) string { return ":memory:" + root } },
}

// newRcloneRemote starts rclone's own SFTP server, and returns a function that gives the remote of a root there.
func newRcloneRemote(t *testing.T) func(root string) string {
	host, port := serve(t, "sftp")
	return func(root string) string {
		return fmt.Sprintf(":sftp,host=%s,port=%s,user=user,pass=%s:%s", host, port,
			obscure.MustObscure("secret"), root)
	}
}

// serve runs rclone's own server of a kind, such as "sftp", for a new directory. It ends with the test.
func serve(t *testing.T, kind string) (host, port string) {
	t.Helper()
	host = "127.0.0.1"
	port = freePort(t)
	start := rc.Calls.Get("serve/start")
	require.NotNil(t, start)
	server, err := start.Fn(t.Context(), rc.Params{
		"type": kind,
		"fs":   t.TempDir(),
		"addr": host + ":" + port,
		"user": "user",
		"pass": "secret",
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		stop := rc.Calls.Get("serve/stop")
		_, _ = stop.Fn(t.Context(), rc.Params{"id": server["id"]})
	})
	return host, port
}

// The conformance suite of this library's drivers passes on each rclone backend.
func TestConformance(t *testing.T) {
	for name, open := range backends {
		t.Run(name, func(t *testing.T) {
			requireConformance(t, open(t))
		})
	}
}

// The conformance suite passes on rclone's own SFTP server, which "make adapters" starts.
func TestServerOfRclone(t *testing.T) {
	if os.Getenv("OMNIBUCKET_REAL_SERVERS") == "" {
		t.Skip("OMNIBUCKET_REAL_SERVERS is not set: make adapters has SFTP by rclone's own server, too")
	}
	requireConformance(t, newRcloneRemote(t), idle, lazy)
}

// idle leaves out the case that counts goroutines.
var idle = storagetest.Skip("nothing is left running",
	"rclone keeps connections of closed remotes for a minute, and its servers are in this process")

// lazy leaves out one case, in which a file is replaced while it is opened. With the server of OpenSSH, the case runs.
var lazy = storagetest.Skip("readers see whole objects while a writer overwrites",
	"rclone's server opens a file with the first read of it")

// requireConformance runs the suite on fresh roots.
func requireConformance(t *testing.T, remote func(root string) string, opts ...storagetest.Option) {
	t.Helper()
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for it
	storagetest.RunDriver(t, func(t *testing.T) driver.Driver {
		f, err := fs.NewFs(t.Context(), remote(fmt.Sprint("bucket", count.Add(1))))
		require.NoError(t, err)
		d, err := NewDriver(f)
		require.NoError(t, err)
		return d
	}, opts...)
}
