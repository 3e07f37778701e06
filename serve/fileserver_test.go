package serve_test

import (
	"cmp"
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/foldermarker"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
)

// pages has the keys of the objects for which two file servers are compared.
var pages = []string{
	"index.html", "about.txt", ".hidden", "dir/index.html", "dir/page.html", "dir/sub/deep.txt", "bare/a.txt", "bare/b c?#%.txt",
	"both", "both/inner.txt", "ünï/ß.txt", "odd:name/index.html",
}

// getFrom returns the response of a handler to a GET request.
func getFrom(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

// putPages stores the pages of a site.
func putPages(t *testing.T, b storage.Bucket) {
	t.Helper()
	for _, key := range pages {
		put(t, b, key, "content of "+key)
	}
}

// FileServer responds as http.FileServerFS does, except in some cases. Each of these has a reason.
func TestFileServerRespondsLikeFileServerFS(t *testing.T) {
	runOnBuckets(t, func(t *testing.T, b storage.Bucket, _ *calls) {
		putPages(t, b)
		server := httptest.NewServer(serve.FileServer(b, serve.WithListing(b)))
		defer server.Close()
		reference := httptest.NewServer(http.FileServerFS(storage.FS(t.Context(), b)))
		defer reference.Close()

		tests := []struct {
			path         string
			method       string // "" means GET
			span         string // Range
			differs      string // why the response is not that of FileServerFS, but the following
			wantStatus   int
			wantLocation string
			wantBody     string
		}{
			{path: "/"},
			{path: "/about.txt"},
			{path: "/about.txt", method: http.MethodHead},
			{path: "/about.txt", span: "bytes=3-5"},
			{path: "/about.txt", span: "bytes=0-0,2-2"},
			{path: "/about.txt", span: "bytes=500-"},
			{path: "/.hidden"},
			{path: "/about.txt/"},
			{path: "/about.txt/?q=1"},
			{path: "/index.html"},
			{path: "/index.html?q=1"},
			{path: "/dir"},
			{path: "/dir?q=1"},
			{path: "/dir/"},
			{path: "/dir/index.html"},
			{path: "/dir/page.html"},
			{path: "/dir/sub"},
			{path: "/dir/sub/deep.txt"},
			{path: "//dir//page.html"},
			{path: "/dir/../about.txt"},
			{path: "/../../about.txt"},
			{path: "/dir/sub/../page.html"},
			{path: "/bare/b%20c%3F%23%25.txt"},
			{path: "/%C3%BCn%C3%AF/%C3%9F.txt"},
			{path: "/both/"},
			{path: "/both/inner.txt"},
			{path: "/missing"},
			{path: "/missing/"},
			{path: "/missing/index.html"},
			{path: "/dir/missing"},
			{path: "/about.txt/missing"},
			{path: "/abou"},

			{
				path:       "/both",
				differs:    "the object is reachable, and one request away",
				wantStatus: http.StatusOK,
				wantBody:   "content of both",
			},
			{
				path:         "/odd:name",
				differs:      "a colon in the first segment of a relative address would end a scheme",
				wantStatus:   http.StatusMovedPermanently,
				wantLocation: "odd%3Aname/",
			},
			{
				path:         "/%C3%BCn%C3%AF",
				differs:      "an address is ASCII",
				wantStatus:   http.StatusMovedPermanently,
				wantLocation: "%C3%BCn%C3%AF/",
			},
			{
				path:       "/about.txt",
				method:     http.MethodPost,
				differs:    "nothing is done with what is posted",
				wantStatus: http.StatusMethodNotAllowed,
				wantBody:   "405 Method Not Allowed\n",
			},
			{
				path:       "/about.txt",
				method:     http.MethodDelete,
				differs:    "nothing is deleted",
				wantStatus: http.StatusMethodNotAllowed,
				wantBody:   "405 Method Not Allowed\n",
			},
			{
				path:       "/%FF",
				differs:    "no key is invalid UTF-8; FileServerFS fails",
				wantStatus: http.StatusBadRequest,
				wantBody:   "400 Bad Request\n",
			},
		}
		for _, tt := range tests {
			t.Run(tt.method+tt.path+" "+tt.span, func(t *testing.T) {
				header := http.Header{}
				if tt.span != "" {
					header.Set("Range", tt.span)
				}
				method := cmp.Or(tt.method, http.MethodGet)
				got := fetch(t, method, server.URL+tt.path, header)
				want := fetch(t, method, reference.URL+tt.path, header)
				got.header.Del("Etag") // which a file system cannot have
				if tt.differs == "" {
					require.Equal(t, want, got)
					return
				}

				require.NotEqual(t, want, got, "it is the same after all: %s", tt.differs)
				require.Equal(t, tt.wantStatus, got.status)
				require.Equal(t, tt.wantLocation, got.header.Get("Location"))
				require.Equal(t, tt.wantBody, got.body)
			})
		}
	})
}

// FileServer makes one request to the store for a file that exists. For any other path, it makes at
// most two.
func TestFileServerMakesOneRequest(t *testing.T) {
	runOnBuckets(t, func(t *testing.T, b storage.Bucket, driverCalls *calls) {
		// Among the pages are index.html, about.txt and dir/index.html. The folder /bare/ has
		// objects, but no index.
		putPages(t, b)
		tests := []struct {
			name, path string
			opts       []serve.Option
			wantStatus int
			wantCalls  []string // to the store
		}{
			{name: "an object", path: "/about.txt", wantStatus: http.StatusOK, wantCalls: []string{"Get"}},
			{name: "a directory with an index", path: "/dir/", wantStatus: http.StatusOK, wantCalls: []string{"Get"}},
			{name: "the root", path: "/", wantStatus: http.StatusOK, wantCalls: []string{"Get"}},
			{name: "an index by name", path: "/dir/index.html", wantStatus: http.StatusMovedPermanently},
			{
				name:       "a directory without its slash",
				path:       "/dir",
				wantStatus: http.StatusMovedPermanently,
				wantCalls:  []string{"Get", "Head"},
			},
			{
				name:       "an object with a slash",
				path:       "/about.txt/",
				wantStatus: http.StatusMovedPermanently,
				wantCalls:  []string{"Get", "Head"},
			},
			{
				name:       "a missing object",
				path:       "/missing",
				wantStatus: http.StatusNotFound,
				wantCalls:  []string{"Get", "Head"},
			},
			{
				name:       "a missing directory",
				path:       "/missing/",
				wantStatus: http.StatusNotFound,
				wantCalls:  []string{"Get", "Head"},
			},
			{
				name:       "a directory without an index, which may not be listed",
				path:       "/bare/",
				wantStatus: http.StatusNotFound,
				wantCalls:  []string{"Get", "Head"},
			},
			{
				name:       "a directory that may not be listed, without its slash",
				path:       "/bare",
				wantStatus: http.StatusNotFound,
				wantCalls:  []string{"Get", "Head"},
			},
			{
				name:       "a directory without an index, which may be listed",
				path:       "/bare/",
				opts:       []serve.Option{serve.WithListing(b)},
				wantStatus: http.StatusOK,
				wantCalls:  []string{"Get", "List"},
			},
			{
				name:       "a directory that may be listed, without its slash",
				path:       "/bare",
				opts:       []serve.Option{serve.WithListing(b)},
				wantStatus: http.StatusMovedPermanently,
				wantCalls:  []string{"Get", "List"},
			},
			{
				name:       "a missing object behind dots",
				path:       "/about.txt/../missing",
				wantStatus: http.StatusNotFound,
				wantCalls:  []string{"Get", "Head"},
			},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				driverCalls.drain()
				w := getFrom(serve.FileServer(b, tt.opts...), tt.path)
				require.Equal(t, tt.wantStatus, w.Code)
				require.Equal(t, tt.wantCalls, driverCalls.drain())
			})
		}
	})
}

// A listing leaves out the objects that layers keep in a bucket for themselves.
func TestFileServerListingLeavesOutLayers(t *testing.T) {
	b := memstore.New()
	for _, key := range []string{
		".omnibucket-mirror/pair",
		".omnibucket-overlay/a",
		"omnibucket-question-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
		"a",
	} {
		_, err := b.Upload(t.Context(), key, strings.NewReader("x"))
		require.NoError(t, err)
	}

	w := getFrom(serve.FileServer(b, serve.WithListing(b)), "/")
	require.NotContains(t, w.Body.String(), "omnibucket")
	require.Contains(t, w.Body.String(), ">a<")
}

// A listing shows the entries of a folder, with escaped names.
func TestFileServerListing(t *testing.T) {
	b := memstore.New()
	putPages(t, b)
	put(t, b, "bare/sub/x.txt", "x")
	put(t, b, `bare/<b>"&'.txt`, "x")

	t.Run("names are escaped, in order", func(t *testing.T) {
		w := getFrom(serve.FileServer(b, serve.WithListing(b)), "/bare/")
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
		_, lines, _ := strings.Cut(w.Body.String(), "<pre>\n")
		require.Equal(t, `<a href="%3Cb%3E%22%26%27.txt">&lt;b&gt;&#34;&amp;&#39;.txt</a>
<a href="a.txt">a.txt</a>
<a href="b%20c%3F%23%25.txt">b c?#%.txt</a>
<a href="sub/">sub/</a>
</pre>
`, lines)
	})

	t.Run("HEAD", func(t *testing.T) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodHead, "/bare/", nil)
		serve.FileServer(b, serve.WithListing(b)).ServeHTTP(w, r)
		require.Equal(t, http.StatusOK, w.Code)
		require.NotContains(t, w.Body.String(), "a.txt")
	})

	t.Run("an empty root is an empty listing", func(t *testing.T) {
		empty := memstore.New()
		w := getFrom(serve.FileServer(empty, serve.WithListing(empty)), "/")
		require.Equal(t, http.StatusOK, w.Code)
		require.NotContains(t, w.Body.String(), "<a")
	})

	t.Run("keys that no URL leads to are left out", func(t *testing.T) {
		foreign := lister{
			{Key: "d/"},
			{Key: "d//", IsPrefix: true},
			{Key: "d/../", IsPrefix: true},
			{Key: "d/.", Size: 1},
			{Key: "d/ok"},
		}
		w := getFrom(serve.FileServer(b, serve.WithListing(foreign)), "/d/")
		require.Equal(t, 1, strings.Count(w.Body.String(), "<a"))
		require.Contains(t, w.Body.String(), `<a href="ok">ok</a>`)
	})

	t.Run("folder markers are no entries", func(t *testing.T) {
		tree := []string{"a/b/c.txt", "a/b.txt", "empty/", "/", "/rooted", "a//nameless"}
		marked, putKeys := foldermarker.New(t)
		putKeys(tree...)
		putKeys(foldermarker.Of(tree...)...)
		h := serve.FileServer(marked, serve.WithListing(marked))

		tests := []struct {
			path  string
			links []string
		}{
			{path: "/", links: []string{"a/", "empty/"}},
			{path: "/a/", links: []string{"b.txt", "b/"}},
			{path: "/a/b/", links: []string{"c.txt"}},
			{path: "/empty/"},
		}
		for _, tt := range tests {
			w := getFrom(h, tt.path)
			require.Equal(t, http.StatusOK, w.Code, tt.path)
			require.Equal(t, len(tt.links), strings.Count(w.Body.String(), "<a"), tt.path)
			for _, link := range tt.links {
				require.Contains(t, w.Body.String(), `<a href="`+link+`">`, tt.path)
			}
		}

		// A folder that has nothing but its marker is a directory, too.
		require.Equal(t, http.StatusMovedPermanently, getFrom(h, "/empty").Code)
	})

	t.Run("a failure before the first entry is a status", func(t *testing.T) {
		w := getFrom(serve.FileServer(b, serve.WithListing(failing{})), "/bare/")
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
	})

	t.Run("a later failure is shown", func(t *testing.T) {
		w := getFrom(serve.FileServer(b, serve.WithListing(failing{{Key: "bare/one"}})), "/bare/")
		require.Equal(t, http.StatusOK, w.Code)
		require.Contains(t, w.Body.String(), "one")
		require.Contains(t, w.Body.String(), "could not be read")
	})
}

// A lister lists its entries. A failing lister then returns an error.
type (
	lister  []storage.ListEntry
	failing []storage.ListEntry
)

// List returns the entries, whatever the options are.
func (l lister) List(context.Context, ...storage.ListOption) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		for _, entry := range l {
			if !yield(entry, nil) {
				return
			}
		}
	}
}

// List returns the entries and then an error.
func (f failing) List(ctx context.Context, opts ...storage.ListOption) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		for entry, err := range lister(f).List(ctx, opts...) {
			if !yield(entry, err) {
				return
			}
		}
		yield(storage.ListEntry{}, storage.Unavailable)
	}
}

// FileServer works under http.StripPrefix, because its redirects are relative.
func TestFileServerUnderStripPrefix(t *testing.T) {
	b := memstore.New()
	putPages(t, b)
	h := http.StripPrefix("/static", serve.FileServer(b))

	tests := []struct {
		path         string
		wantStatus   int
		wantLocation string
	}{
		{path: "/static/about.txt", wantStatus: http.StatusOK},
		{path: "/static/", wantStatus: http.StatusOK},
		{path: "/static", wantStatus: http.StatusOK},
		{path: "/static/dir", wantStatus: http.StatusMovedPermanently, wantLocation: "dir/"},
		{path: "/static/dir/index.html", wantStatus: http.StatusMovedPermanently, wantLocation: "./"},
		{path: "/static/missing", wantStatus: http.StatusNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			w := getFrom(h, tt.path)
			require.Equal(t, tt.wantStatus, w.Code)
			require.Equal(t, tt.wantLocation, w.Header().Get("Location"))
		})
	}
}

// A redirect never leads to another host, even if the path begins like the URL of one.
func TestFileServerRedirectsOnlyWithinItself(t *testing.T) {
	b := memstore.New()
	for _, key := range []string{"javascript:alert(1)/index.html", "evil.example/index.html", "line\nbreak"} {
		_, _ = b.Upload(t.Context(), key, strings.NewReader("x"))
	}

	// Each target is relative to the path, so it stays on the host.
	tests := []struct{ path, wantTarget string }{
		{path: "/javascript:alert(1)", wantTarget: "javascript%3Aalert%281%29/"},
		{path: "//evil.example", wantTarget: "evil.example/"},
		{path: "/%2Fevil.example", wantTarget: "evil.example/"},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			w := getFrom(serve.FileServer(b), "http://host"+tt.path)
			require.Equal(t, http.StatusMovedPermanently, w.Code)
			require.Equal(t, tt.wantTarget, w.Header().Get("Location"))
		})
	}
}

// If a request fails, the function of WithErrorHandler writes the response.
func TestFileServerErrorHandler(t *testing.T) {
	b := memstore.New()
	h := serve.FileServer(b, serve.WithErrorHandler(func(
		w http.ResponseWriter, _ *http.Request, status int, err error,
	) {
		http.Error(w, "own page", status)
		require.ErrorIs(t, err, storage.ObjectNotFound)
	}))
	w := getFrom(h, "/missing")
	require.Equal(t, http.StatusNotFound, w.Code)
	require.Equal(t, "own page\n", w.Body.String())
}

// If the store fails while FileServer looks for an object, an index or a folder, the status is 503,
// not 404. The first call to the store finds no object, and the next call fails.
func TestFileServerDistinguishesFailuresFromMissingObjects(t *testing.T) {
	tests := []struct {
		name    string
		path    string
		listing bool // true if directories may be listed
	}{
		{name: "looking for an index", path: "/x"},
		{name: "looking for what lies below", path: "/x", listing: true},
		{name: "looking for an object", path: "/x/"},
		{name: "listing", path: "/x/", listing: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The store responds to the first call, and fails each later call.
			calls := 0
			failing := func(d driver.Driver) driver.Driver {
				return driver.Intercept(d,
					func(ctx context.Context, _ string, next func(context.Context) error) error {
						calls++
						if calls > 1 {
							return storage.Unavailable
						}
						return next(ctx)
					})
			}
			b := memstore.New(storage.WithRetry(storage.RetryPolicy{Attempts: 1}), driver.WithLayer(failing))
			var opts []serve.Option
			if tt.listing {
				opts = append(opts, serve.WithListing(b))
			}

			w := getFrom(serve.FileServer(b, opts...), tt.path)
			require.Equal(t, http.StatusServiceUnavailable, w.Code)
		})
	}
}

// If the bucket is nil, each request fails with an error response instead of a panic.
func TestFileServerOfNilBucketFails(t *testing.T) {
	tests := []struct {
		name    string
		handler http.Handler
	}{
		{name: "FileServer", handler: serve.FileServer(nil)},
		{name: "NewHandler", handler: serve.NewHandler(nil)},
		{
			name: "Object",
			handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				serve.Object(w, r, nil, "k")
			}),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := getFrom(tt.handler, "/k")
			require.GreaterOrEqual(t, w.Code, http.StatusBadRequest)
		})
	}
}
