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
	notAsked := serve.WithErrorHandler(func(http.ResponseWriter, *http.Request, int, error) {
		t.Error("is not called")
	})
	handlers := map[string]func(b storage.Bucket) http.Handler{
		"Object": func(b storage.Bucket) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				serve.Object(w, r, b, "key", notAsked)
			})
		},
		"Object, of a Downloader that fails in its own words": func(b storage.Bucket) http.Handler {
			d := downloading(func(
				ctx context.Context, key string, opts ...storage.DownloadOption,
			) (*storage.Reader, error) {
				if _, err := b.Download(ctx, key, opts...); err == nil {
					return nil, errors.New("nobody gave up")
				}
				return nil, ctx.Err()
			})
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				serve.Object(w, r, d, "key", notAsked)
			})
		},
		"FileServer": func(b storage.Bucket) http.Handler { return serve.FileServer(b, notAsked) },
		"FileServer, of a listing": func(b storage.Bucket) http.Handler {
			return http.StripPrefix("/key", serve.FileServer(b, notAsked, serve.WithListing(b)))
		},
		"NewHandler": func(b storage.Bucket) http.Handler { return serve.NewHandler(b, notAsked) },
	}
	stopping := map[string]func(h http.Handler, stop *context.CancelFunc) *httptest.Server{
		"the server stops": func(h http.Handler, stop *context.CancelFunc) *httptest.Server {
			server := httptest.NewUnstartedServer(h)
			ctx, cancel := context.WithCancel(context.Background())
			server.Config.BaseContext = func(net.Listener) context.Context { return ctx }
			*stop = cancel
			server.Start()
			return server
		},
		"a handler around it gives up": func(h http.Handler, stop *context.CancelFunc) *httptest.Server {
			return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ctx, cancel := context.WithCancelCause(r.Context())
				*stop = func() {
					cancel(errors.New("enough"))
				}
				h.ServeHTTP(w, r.WithContext(ctx))
			}))
		},
	}
	for name, handler := range handlers {
		for when, start := range stopping {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				t.Run(name+", where "+when+"/"+method, func(t *testing.T) {
					stop := context.CancelFunc(func() {})
					d := memstore.NewDriver(memstore.Config{})
					put(t, engine.New(d), "key", "data", storage.WithCacheControl(forGood),
						storage.WithPublicRead())
					b := engine.New(d, storage.WithSigningBaseURL("http://files.example.com"), driver.WithLayer(func(
						d driver.Driver,
					) driver.Driver {
						return driver.Intercept(d,
							func(ctx context.Context, _ string, next func(context.Context) error) error {
								stop()
								return next(ctx)
							})
					}))
					server := start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("Cache-Control", forGood)
						handler(b).ServeHTTP(w, r)
					}), &stop)
					defer server.Close()

					got := fetch(t, method, server.URL+"/key", nil)
					require.Equal(t, http.StatusServiceUnavailable, got.status)
					require.NotContains(t, got.header.Get("Cache-Control"), "immutable")
					require.Equal(t, method == http.MethodGet, got.body != "")
				})
			}
		}
	}
}
