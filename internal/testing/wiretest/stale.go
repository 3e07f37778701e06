package wiretest

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
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
	age    atomic.Int64 // number that new connections get; connections with a smaller number are stale
	resets atomic.Int64
}

type ageKey struct{}

func startStaleProxy(t *testing.T, server string) *staleProxy {
	t.Helper()
	target, err := url.Parse(server)
	require.NoError(t, err)
	forward := httputil.NewSingleHostReverseProxy(target) // keeps the Host header, because signatures cover it
	forward.Transport = &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	p := &staleProxy{}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Value(ageKey{}).(int64) < p.age.Load() {
			p.reset(w)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	p.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, ageKey{}, p.age.Load())
	}
	p.Start()
	t.Cleanup(p.Close)
	return p
}

func (p *staleProxy) reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	p.resets.Add(1)
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// StaleConnections checks that each operation succeeds although the server resets the connection
// that the client has kept open.
func StaleConnections(t *testing.T, server string, open OpenAt) {
	proxy := startStaleProxy(t, server)
	b := open(proxy.URL, storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Millisecond}))
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	upload := func(ctx context.Context, key string, body io.Reader, opts ...storage.UploadOption) error {
		_, err := b.Upload(ctx, key, body, opts...)
		return err
	}
	large := func() io.Reader { return strings.NewReader(strings.Repeat("x", 1<<20)) }
	for _, row := range []struct {
		name string
		do   func(ctx context.Context) error
	}{
		{"an upload", func(ctx context.Context) error { return upload(ctx, "a", strings.NewReader("x")) }},
		{"an upload that creates", func(ctx context.Context) error {
			return upload(ctx, "new", strings.NewReader("x"), storage.IfAbsent())
		}},
		{"an upload of a large body", func(ctx context.Context) error { return upload(ctx, "b", large()) }},
		{"an upload of a stream", func(ctx context.Context) error { return upload(ctx, "b", io.MultiReader(large())) }},
		{"an upload in parts", func(ctx context.Context) error {
			return upload(ctx, "parts", io.MultiReader(large(), large(), large(), large(), large(), large()), storage.WithPartSize(5<<20))
		}},
		{"Attrs", func(ctx context.Context) error {
			_, err := b.Attrs(ctx, "a")
			return err
		}},
		{"a download", func(ctx context.Context) error {
			_, _, err := storage.ReadAll(ctx, b, "b")
			return err
		}},
		{"a listing", func(ctx context.Context) error {
			_, err := storage.ListPage(ctx, b, "")
			return err
		}},
		{"a copy", func(ctx context.Context) error {
			_, err := storage.Copy(ctx, b, "copy", b, "a")
			return err
		}},
		{"Compose", func(ctx context.Context) error {
			_, err := storage.Compose(ctx, b, "composed", []string{"a", "b"})
			return err
		}},
		{"Update", func(ctx context.Context) error {
			_, err := storage.Update(ctx, b, "a", func(old []byte, _ *storage.Attrs) ([]byte, error) { return append(old, 'y'), nil })
			return err
		}},
		{"Remove", func(ctx context.Context) error { return b.Remove(ctx, "copy") }},
		{"RemoveAll", func(ctx context.Context) error {
			_, err := storage.RemoveAll(ctx, b, func(yield func(string) bool) { _ = yield("a") && yield("b") })
			return err
		}},
	} {
		_, err := b.Exists(t.Context(), "other") // leaves an idle connection
		require.NoError(t, err, row.name)
		proxy.age.Add(1)
		n := proxy.resets.Load()
		require.NoError(t, row.do(t.Context()), row.name)
		require.Greater(t, proxy.resets.Load(), n, "%s: no connection was reset", row.name)
	}
}
