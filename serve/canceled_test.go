package serve_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
)

// forGood lets caches keep an object for ever, because its key never changes. If such a response were empty by mistake,
// caches would keep the mistake.
const forGood = "public, max-age=31536000, immutable"

// If the server cancels a request, the response is an error. A client would take an empty 200 for the object.
func TestObjectCanceledRequestIsError(t *testing.T) {
	// The error handler is for errors of the store, and not for canceled requests.
	unusedErrorHandler := serve.WithErrorHandler(func(http.ResponseWriter, *http.Request, int, error) {
		t.Error("the error handler was called")
	})

	// Each of these handlers serves the object "key". The request is canceled when the handler
	// calls the store.
	newHandlers := map[string]func(b storage.Bucket) http.Handler{
		"Object": func(b storage.Bucket) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				serve.Object(w, r, b, "key", unusedErrorHandler)
			})
		},
		"Object with a Downloader that returns ctx.Err()": func(b storage.Bucket) http.Handler {
			d := downloading(func(
				ctx context.Context, key string, opts ...storage.DownloadOption,
			) (*storage.Reader, error) {
				if _, err := b.Download(ctx, key, opts...); err == nil {
					return nil, errors.New("the request was not canceled")
				}
				return nil, ctx.Err()
			})
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				serve.Object(w, r, d, "key", unusedErrorHandler)
			})
		},
		"FileServer": func(b storage.Bucket) http.Handler { return serve.FileServer(b, unusedErrorHandler) },
		"FileServer with a listing": func(b storage.Bucket) http.Handler {
			return http.StripPrefix("/key", serve.FileServer(b, unusedErrorHandler, serve.WithListing(b)))
		},
		"NewHandler": func(b storage.Bucket) http.Handler { return serve.NewHandler(b, unusedErrorHandler) },
	}
	servers := map[string]startStoppable{
		"the server stops":               startServerThatStops,
		"an outer handler stops waiting": startServerWithTimeout,
	}
	for name, newHandler := range newHandlers {
		for reason, start := range servers {
			t.Run(name+", "+reason, func(t *testing.T) {
				requireErrorIfCanceled(t, http.MethodGet, newHandler, start)
				requireErrorIfCanceled(t, http.MethodHead, newHandler, start)
			})
		}
	}
}

// A startStoppable starts a server. It also returns a function that cancels the request in
// progress.
type startStoppable func(h http.Handler) (server *httptest.Server, cancelRequest func())

// startServerThatStops starts a server that can cancel its requests, like a server that shuts down.
func startServerThatStops(h http.Handler) (*httptest.Server, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	server := httptest.NewUnstartedServer(h)
	server.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	server.Start()
	return server, cancel
}

// startServerWithTimeout starts a server on which a handler around h cancels the request with a cause of its own.
func startServerWithTimeout(h http.Handler) (*httptest.Server, func()) {
	var cancel context.CancelCauseFunc
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var ctx context.Context
		ctx, cancel = context.WithCancelCause(r.Context())
		h.ServeHTTP(w, r.WithContext(ctx))
	}))
	return server, func() { cancel(errors.New("enough")) }
}

// requireErrorIfCanceled cancels a request when it reaches the store, and requires that the response is an error that
// no cache keeps.
func requireErrorIfCanceled(
	t *testing.T, method string, newHandler func(storage.Bucket) http.Handler, start startStoppable,
) {
	t.Helper()
	store := memstore.NewDriver(memstore.Config{})
	put(t, engine.New(store), "key", "data", storage.WithCacheControl(forGood), storage.WithPublicRead())

	// Each call of the store first cancels the request.
	var cancelRequest func()
	canceling := driver.WithLayer(func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, func(ctx context.Context, _ string, next func(context.Context) error) error {
			cancelRequest()
			return next(ctx)
		})
	})
	h := newHandler(engine.New(store, storage.WithSigningBaseURL("http://files.example.com"), canceling))

	// A handler around h has already set a Cache-Control.
	server, cancel := start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", forGood)
		h.ServeHTTP(w, r)
	}))
	defer server.Close()
	cancelRequest = cancel

	got := fetch(t, method, server.URL+"/key", nil)
	require.Equal(t, http.StatusServiceUnavailable, got.status)
	require.NotContains(t, got.header.Get("Cache-Control"), "immutable")
	require.Equal(t, method == http.MethodGet, got.body != "")
}
