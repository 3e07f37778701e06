package wiretest

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// A staleProxy forwards requests to a server. A test makes the existing connections stale. The
// proxy resets a stale connection at its next request, like a server that closes an idle connection
// just as a request arrives.
type staleProxy struct {
	*httptest.Server
	forward *httputil.ReverseProxy
	resets  atomic.Int64
	// generation is the number that new connections get. Connections with a smaller number are stale.
	generation atomic.Int64
}

type generationKey struct{}

// startStaleProxy starts a staleProxy for the server at a URL, until the test ends.
func startStaleProxy(t *testing.T, server string) *staleProxy {
	t.Helper()
	target, err := url.Parse(server)
	require.NoError(t, err)

	// This proxy keeps the Host header, because signatures cover it.
	p := &staleProxy{forward: httputil.NewSingleHostReverseProxy(target)}
	p.forward.Transport = &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	p.Server = httptest.NewUnstartedServer(p)
	p.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, generationKey{}, p.generation.Load())
	}
	p.Start()
	t.Cleanup(p.Close)
	return p
}

// ServeHTTP forwards a request, or resets its connection if that is stale.
func (p *staleProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	generation := r.Context().Value(generationKey{}).(int64)
	isStale := generation < p.generation.Load()
	if isStale {
		p.reset(w)
		return
	}
	p.forward.ServeHTTP(w, r)
}

// reset closes a connection without a response, so that the client sees a reset.
func (p *staleProxy) reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	p.resets.Add(1)
	_ = conn.(*net.TCPConn).SetLinger(0) // Close then sends a reset
	_ = conn.Close()
}

// StaleConnections checks that each operation succeeds although the server resets the connection
// that the client has kept open.
func StaleConnections(t *testing.T, server string, open OpenAt) {
	proxy := startStaleProxy(t, server)
	b := open(proxy.URL, storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Millisecond}))
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })

	for _, row := range staleOperations {
		// Leave an idle connection, and make it stale.
		_, err := b.Exists(t.Context(), "other")
		require.NoError(t, err, row.name)
		proxy.generation.Add(1)

		resets := proxy.resets.Load()
		require.NoError(t, row.do(t.Context(), b), row.name)
		require.Greater(t, proxy.resets.Load(), resets, "%s: no connection was reset", row.name)
	}
}

// staleOperations are operations of every kind. Each one uses objects of those before it.
var staleOperations = []struct {
	name string
	do   func(ctx context.Context, b storage.Bucket) error
}{
	{"an upload", func(ctx context.Context, b storage.Bucket) error {
		_, err := b.Upload(ctx, "a", strings.NewReader("x"))
		return err
	}},
	{"an upload that creates", func(ctx context.Context, b storage.Bucket) error {
		_, err := b.Upload(ctx, "new", strings.NewReader("x"), storage.IfAbsent())
		return err
	}},
	{"an upload of a large body", func(ctx context.Context, b storage.Bucket) error {
		_, err := b.Upload(ctx, "b", largeBody())
		return err
	}},
	{"an upload of a stream", func(ctx context.Context, b storage.Bucket) error {
		_, err := b.Upload(ctx, "b", io.MultiReader(largeBody()))
		return err
	}},
	{"an upload in parts", func(ctx context.Context, b storage.Bucket) error {
		body := io.MultiReader(largeBody(), largeBody(), largeBody(), largeBody(), largeBody(), largeBody())
		_, err := b.Upload(ctx, "parts", body, storage.WithPartSize(5<<20))
		return err
	}},
	{"Attrs", func(ctx context.Context, b storage.Bucket) error {
		_, err := b.Attrs(ctx, "a")
		return err
	}},
	{"a download", func(ctx context.Context, b storage.Bucket) error {
		_, _, err := storage.ReadAll(ctx, b, "b")
		return err
	}},
	{"a listing", func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.ListPage(ctx, b, "")
		return err
	}},
	{"a copy", func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.Copy(ctx, b, "copy", b, "a")
		return err
	}},
	{"Compose", func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.Compose(ctx, b, "composed", []string{"a", "b"})
		return err
	}},
	{"Update", func(ctx context.Context, b storage.Bucket) error {
		appendLetter := func(old []byte, _ *storage.Attrs) ([]byte, error) { return append(old, 'y'), nil }
		_, err := storage.Update(ctx, b, "a", appendLetter)
		return err
	}},
	{"Remove", func(ctx context.Context, b storage.Bucket) error {
		return b.Remove(ctx, "copy")
	}},
	{"RemoveAll", func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.RemoveAll(ctx, b, slices.Values([]string{"a", "b"}))
		return err
	}},
}

// largeBody returns a body of 1 MiB.
func largeBody() io.Reader { return strings.NewReader(strings.Repeat("x", 1<<20)) }
