package caddy

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/s3server"
)

// An instance is a running Caddy.
type instance struct {
	process *exec.Cmd
	data    string // its directory of data
	log     *logBuffer
	ended   chan struct{} // closed after the process has ended
}

// startCaddy starts Caddy with a Caddyfile and waits until it serves. Caddy gets the environment of the test
// process, and the variables in env.
func startCaddy(t *testing.T, caddyfile string, env ...string) *instance {
	t.Helper()
	c := launchCaddy(t, caddyfile, env...)
	c.waitFor(t, "serving initial configuration")
	return c
}

// launchCaddy starts Caddy with a Caddyfile and the variables in env. It does not wait until Caddy serves.
func launchCaddy(t *testing.T, caddyfile string, env ...string) *instance {
	t.Helper()
	c := &instance{data: t.TempDir(), log: new(logBuffer), ended: make(chan struct{})}
	config := filepath.Join(c.data, "Caddyfile")
	require.NoError(t, os.WriteFile(config, []byte(caddyfile), 0o600))
	program, err := os.Executable()
	require.NoError(t, err)
	c.process = exec.Command(program, "run", "--config", config)
	c.process.Env = append(os.Environ(), asCaddy+"=1", "HOME="+c.data, "XDG_DATA_HOME="+c.data,
		"XDG_CONFIG_HOME="+c.data)
	c.process.Env = append(c.process.Env, env...)
	c.process.Stderr = c.log
	require.NoError(t, c.process.Start())
	go func() {
		_ = c.process.Wait()
		close(c.ended)
	}()
	t.Cleanup(func() {
		c.kill()
		if t.Failed() {
			t.Logf("log of Caddy:\n%s", c.log)
		}
	})
	return c
}

// kill ends the process at once, without giving it a chance to release its locks.
func (c *instance) kill() {
	_ = c.process.Process.Kill()
	<-c.ended
}

// waitFor waits until the log of Caddy has a text.
func (c *instance) waitFor(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(c.log.String(), text) }, time.Minute,
		10*time.Millisecond, "%s", text)
}

// waitForEnd waits until Caddy has ended by itself.
func (c *instance) waitForEnd(t *testing.T) {
	t.Helper()
	select {
	case <-c.ended:
	case <-time.After(time.Minute):
		t.Fatal("Caddy has not ended")
	}
}

// A logBuffer keeps the log of a process.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// freePort returns a port of this machine that nothing listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// A testStore is a bucket for Caddy: its address, and the environment with which Caddy opens it.
type testStore struct {
	address string
	env     []string
	server  *s3server.Server // nil for a directory
}

// newStore returns a new bucket of a kind, "directory" or "s3".
func newStore(t *testing.T, kind string) *testStore {
	t.Helper()
	if kind == "directory" {
		dir := filepath.ToSlash(filepath.Join(t.TempDir(), "bucket"))
		return &testStore{address: "file://" + dir + "?create=true&sync=false"}
	}
	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"bucket"}})
	return &testStore{address: server.Address("bucket"), env: server.Env(), server: server}
}

// open opens the bucket in the test.
func (s *testStore) open(t *testing.T) storage.Bucket {
	t.Helper()
	if s.server != nil {
		return s.server.Bucket("bucket")
	}
	b, err := storage.Open(t.Context(), s.address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = storage.Close(b) })
	return b
}

// storeKinds are the kinds of newStore.
var storeKinds = []string{"directory", "s3"}

// closed closes the body of a response, and returns the response.
func closed(t *testing.T, resp *http.Response, err error) *http.Response {
	t.Helper()
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp
}
