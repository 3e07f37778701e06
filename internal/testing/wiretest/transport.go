package wiretest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// An OpenWithClient opens a bucket of the server at the given URL. The bucket sends its requests
// with the given HTTP client. If the HTTP client is nil, the bucket uses the driver's own client.
type OpenWithClient func(root string, client *http.Client, opts ...storage.OpenOption) storage.Bucket

// httpClients returns an HTTP client of each kind that a user may pass to a driver, where nil is
// none.
func httpClients(t *testing.T) map[string]*http.Client {
	t.Helper()
	plain := http.DefaultTransport.(*http.Transport).Clone()
	wrapped := &http.Transport{}
	t.Cleanup(plain.CloseIdleConnections)
	t.Cleanup(wrapped.CloseIdleConnections)
	return map[string]*http.Client{
		"the driver's own client":          nil,
		"a client of net/http":             {Transport: plain},
		"a client with a user's own layer": {Transport: untraced{wrapped}},
	}
}

// An untraced is an HTTP transport that hides the values of a request's context, including the
// client trace.
type untraced struct{ base http.RoundTripper }

func (u untraced) RoundTrip(r *http.Request) (*http.Response, error) {
	hidden := r.Clone(withoutValues{r.Context()})
	return u.base.RoundTrip(hidden)
}

type withoutValues struct{ context.Context }

func (withoutValues) Value(any) any { return nil }

// operations lists operations of every kind. The tests ignore their results.
var operations = []struct {
	name string
	do   func(ctx context.Context, b storage.Bucket) error
}{
	{"Attrs", func(ctx context.Context, b storage.Bucket) error {
		_, err := b.Attrs(ctx, "k")
		return err
	}},
	{"Exists", func(ctx context.Context, b storage.Bucket) error {
		_, err := b.Exists(ctx, "k")
		return err
	}},
	{"Upload", func(ctx context.Context, b storage.Bucket) error {
		_, err := b.Upload(ctx, "k", strings.NewReader("x"))
		return err
	}},
	{"Upload of a large body", func(ctx context.Context, b storage.Bucket) error {
		_, err := b.Upload(ctx, "k", strings.NewReader(strings.Repeat("x", 1<<20)))
		return err
	}},
	{"Download", func(ctx context.Context, b storage.Bucket) error {
		_, _, err := storage.ReadAll(ctx, b, "k")
		return err
	}},
	{"List", func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.ListPage(ctx, b, "")
		return err
	}},
	{"Remove", func(ctx context.Context, b storage.Bucket) error { return b.Remove(ctx, "k") }},
	{"RemoveAll", func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.RemoveAll(ctx, b, func(yield func(string) bool) { yield("k") })
		return err
	}},
	{"Copy", func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.Copy(ctx, b, "to", b, "k")
		return err
	}},
	{"Compose", func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.Compose(ctx, b, "to", []string{"a", "b"})
		return err
	}},
}

// SilentServer checks, with each kind of HTTP client, that every operation ends if the server never
// responds.
func SilentServer(t *testing.T, open OpenWithClient) {
	for name, client := range httpClients(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireEnd(t, open, client)
			if client != nil {
				require.Nil(t, client.CheckRedirect, "the user's client must not change")
				require.NotContains(t, fmt.Sprintf("%T", client.Transport), "transport.Transport")
			}
		})
	}
}

// requireEnd requires that every operation fails with Unavailable if the server never responds.
func requireEnd(t *testing.T, open OpenWithClient, client *http.Client) {
	t.Helper()
	const stall = time.Second // long enough to send a request even on a busy machine
	policy := storage.WithRetry(storage.RetryPolicy{Attempts: 1, Stall: stall})
	b := open("http://"+startSilentServer(t), client, policy)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })

	// All calls run at the same time, so that the test takes no longer than the slowest one.
	errs := make([]error, len(operations))
	durations := make([]time.Duration, len(operations))
	var wg sync.WaitGroup
	for i, call := range operations {
		wg.Go(func() {
			start := time.Now()
			errs[i] = call.do(t.Context(), b)
			durations[i] = time.Since(start)
		})
	}
	wg.Wait()

	for i, call := range operations {
		t.Run(call.name, func(t *testing.T) {
			require.ErrorIs(t, errs[i], storage.Unavailable)
			require.Less(t, durations[i], 50*stall)
			if call.name == "Upload" || strings.HasPrefix(call.name, "Remove") {
				require.ErrorIs(t, errs[i], storage.OutcomeUnknown, "the server may have received it")
			}
		})
	}
}

// startSilentServer starts a server that accepts connections and never responds, and returns its
// address.
func startSilentServer(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)

	// Keep the connections open until the test ends.
	var mu sync.Mutex
	var accepted []net.Conn
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			accepted = append(accepted, conn)
			mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, conn := range accepted {
			_ = conn.Close()
		}
	})
	return listener.Addr().String()
}

// CountedRequests checks, with each kind of HTTP client, that hooks are told the number of requests
// that the server received.
func CountedRequests(t *testing.T, open OpenWithClient) {
	for name, client := range httpClients(t) {
		t.Run(name, func(t *testing.T) {
			requireCounts(t, open, client)
		})
	}
}

// requireCounts requires that the hook is told the right number of requests for every operation,
// although the engine retries some of them.
func requireCounts(t *testing.T, open OpenWithClient, client *http.Client) {
	t.Helper()
	server := &retriedServer{}
	listener := httptest.NewServer(server)
	t.Cleanup(listener.Close)

	reported := 0 // number of requests that the hook is told
	hook := func(ctx context.Context, _ storage.Operation) (context.Context, func(storage.Outcome), error) {
		return ctx, func(o storage.Outcome) { reported += o.Requests }, nil
	}
	retry := storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Millisecond})
	b := open(listener.URL, client, retry, storage.WithHook(hook))
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })

	for _, call := range operations {
		server.requests.Store(0)
		reported = 0
		_ = call.do(t.Context(), b) // there is no object, so most operations fail
		require.EqualValues(t, server.requests.Load(), reported, call.name)
		require.NotZero(t, reported, call.name)
	}

	// Signing makes no request.
	server.requests.Store(0)
	reported = 0
	if storage.Supports(b, storage.SignedURLs) {
		_, err := b.SignedDownloadURL(t.Context(), "k")
		require.NoError(t, err)
		require.Zero(t, reported, "this must make no request")
		require.Zero(t, server.requests.Load())
	}
}

// A retriedServer counts requests. It responds to every fourth one with a status after which the
// engine retries, and otherwise with 404.
type retriedServer struct{ requests atomic.Int32 }

// ServeHTTP answers each fourth request, from the third on, with 503, which the engine retries, and
// all others with 404.
func (s *retriedServer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	isBusy := s.requests.Add(1)%4 == 3
	if isBusy {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNotFound)
}

// WrapBodies returns a RoundTripper that wraps the body of each response, as a user's RoundTripper
// for logs or traces may do. The wrapped types have only the methods of their interfaces.
func WrapBodies(base http.RoundTripper) http.RoundTripper { return wrapping{base} }

type wrapping struct{ base http.RoundTripper }

// RoundTrip hides the type of the response's body.
func (w wrapping) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = struct{ io.ReadCloser }{resp.Body}
	return resp, nil
}
