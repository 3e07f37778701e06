package serve_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/serve"
)

// A downloading is a function that serves as a Downloader.
type downloading func(ctx context.Context, key string, opts ...storage.DownloadOption) (*storage.Reader, error)

func (d downloading) Download(
	ctx context.Context, key string, opts ...storage.DownloadOption,
) (*storage.Reader, error) {
	return d(ctx, key, opts...)
}

// newDownloader returns a Downloader of one object. The body of the object may differ from what
// attrs say.
func newDownloader(attrs storage.Attrs, body func() io.Reader) downloading {
	return func(_ context.Context, _ string, opts ...storage.DownloadOption) (*storage.Reader, error) {
		var r storage.DownloadOptions
		if err := r.Apply(opts...); err != nil {
			return nil, err
		}
		length := attrs.Size
		if r.Length >= 0 {
			length = r.Length
		}
		return storage.NewReader(&attrs, r.Offset, length, io.NopCloser(io.LimitReader(body(), length))), nil
	}
}

// put stores an object.
func put(t *testing.T, b storage.Uploader, key, data string, opts ...storage.UploadOption) *storage.Attrs {
	t.Helper()
	attrs, err := b.Upload(t.Context(), key, strings.NewReader(data), opts...)
	require.NoError(t, err)
	return attrs
}

// responseTo returns the response of handle to a request with these headers.
func responseTo(
	method string, header map[string]string, handle func(w http.ResponseWriter, r *http.Request),
) *http.Response {
	r := httptest.NewRequest(method, "/key", nil)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	handle(w, r)
	return w.Result()
}

// bodyOf reads the whole body of a response.
func bodyOf(t *testing.T, r *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return string(body)
}

// Object can serve a bucket even if it sees no method of the bucket but Download.
func TestObjectNeedsOnlyDownload(t *testing.T) {
	b := memstore.New()
	put(t, b, "key", "0123456789")
	downloader := storage.Ref[storage.Downloader](b)
	tests := []struct {
		method, span string
		wantStatus   int
	}{
		{method: http.MethodGet, span: "", wantStatus: http.StatusOK},
		{method: http.MethodHead, span: "", wantStatus: http.StatusOK},
		{method: http.MethodGet, span: "bytes=2-3", wantStatus: http.StatusPartialContent},
		{method: http.MethodGet, span: "bytes=2-3,0-0", wantStatus: http.StatusPartialContent},
		{method: http.MethodGet, span: "bytes=100-", wantStatus: http.StatusRequestedRangeNotSatisfiable},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.span, func(t *testing.T) {
			got := responseTo(tt.method, map[string]string{"Range": tt.span},
				func(w http.ResponseWriter, r *http.Request) {
					serve.Object(w, r, downloader, "key")
				})
			require.Equal(t, tt.wantStatus, got.StatusCode)
		})
	}
}

// Object keeps response headers that the caller has set.
func TestObjectKeepsHeadersOfCaller(t *testing.T) {
	b := memstore.New()
	put(t, b, "key", "data",
		storage.WithContentType("text/plain"),
		storage.WithCacheControl("no-store"),
		storage.WithContentLanguage("de"),
	)
	header := map[string]string{
		"Content-Type":        "text/markdown",
		"Cache-Control":       "private",
		"Content-Language":    "en",
		"Content-Disposition": "inline",
		"Etag":                `"mine"`,
	}
	handle := func(w http.ResponseWriter, r *http.Request) {
		for name, value := range header {
			w.Header().Set(name, value)
		}
		serve.Object(w, r, b, "key")
	}

	t.Run("the headers", func(t *testing.T) {
		got := responseTo(http.MethodGet, nil, handle)
		for name, value := range header {
			require.Equal(t, []string{value}, got.Header[name])
		}
	})

	t.Run("conditions are judged by the caller's ETag", func(t *testing.T) {
		got := responseTo(http.MethodGet, map[string]string{"If-None-Match": `"mine"`}, handle)
		require.Equal(t, http.StatusNotModified, got.StatusCode)
	})

	t.Run("a compressed response has no Content-Length", func(t *testing.T) {
		got := responseTo(http.MethodGet, nil, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			serve.Object(w, r, b, "key")
		})
		require.Empty(t, got.Header.Get("Content-Length"))
		require.Equal(t, "br", got.Header.Get("Content-Encoding"))
	})
}

// Object omits the encoding "identity". Google reports it for a HEAD, but not for a download.
func TestObjectIdentityIsNoEncoding(t *testing.T) {
	b := newDownloader(
		storage.Attrs{Size: 1, Properties: storage.Properties{ContentEncoding: "identity"}},
		func() io.Reader { return strings.NewReader("x") },
	)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		got := responseTo(method, nil, func(w http.ResponseWriter, r *http.Request) {
			serve.Object(w, r, b, "key")
		})
		require.Empty(t, got.Header["Content-Encoding"], method)
		require.Equal(t, "1", got.Header.Get("Content-Length"), method)
	}
}

// If an object has no content type, Object sets a Content-Type, so that net/http does not guess one.
func TestObjectSetsContentType(t *testing.T) {
	html := newDownloader(storage.Attrs{Size: 6}, func() io.Reader {
		return strings.NewReader("<html>")
	})
	got := responseTo(http.MethodGet, nil, func(w http.ResponseWriter, r *http.Request) {
		serve.Object(w, r, html, "key")
	})

	require.Equal(t, "application/octet-stream", got.Header.Get("Content-Type"))
	require.Equal(t, "<html>", bodyOf(t, got))
}

// Object serves an old version if WithDownloadOptions names it.
func TestObjectVersion(t *testing.T) {
	b := engine.New(memstore.NewDriver(memstore.Config{Versioned: true}))
	old := put(t, b, "key", "the old one")
	put(t, b, "key", "the new one")
	serveOld := func(w http.ResponseWriter, r *http.Request) {
		serve.Object(w, r, b, "key", serve.WithDownloadOptions(storage.WithVersion(old.Version)))
	}

	whole := responseTo(http.MethodGet, nil, serveOld)
	require.Equal(t, "the old one", bodyOf(t, whole))
	part := responseTo(http.MethodGet, map[string]string{"Range": "bytes=4-6"}, serveOld)
	require.Equal(t, "old", bodyOf(t, part))
	parts := responseTo(http.MethodGet, map[string]string{"Range": "bytes=4-6,0-2"}, serveOld)
	require.Contains(t, bodyOf(t, parts), "old")
}

// A readerFrom acts like a socket in net/http: the kernel can copy to it.
type readerFrom struct {
	*httptest.ResponseRecorder
	from []io.Reader
}

func (w *readerFrom) ReadFrom(src io.Reader) (int64, error) {
	w.from = append(w.from, src)
	return io.Copy(w.ResponseRecorder, src)
}

// Object passes a range of a local file to the connection as an *os.File in an io.LimitedReader.
// The kernel can copy from such a reader.
func TestObjectRangeIsCopiedByKernel(t *testing.T) {
	b, err := local.Open(filepath.Join(t.TempDir(), "bucket"), local.Config{Create: true, NoSync: true})
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(b))
	}()
	data := strings.Repeat("0123456789", 100_000)
	put(t, b, "key", data)

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Range", "bytes=5000-")
	w := &readerFrom{ResponseRecorder: httptest.NewRecorder()}
	serve.Object(w, r, b, "key")

	require.Equal(t, data[5000:], w.Body.String())

	// The writer got one reader, and it is a reader of the file itself.
	require.Len(t, w.from, 1)
	limited, ok := w.from[0].(*io.LimitedReader)
	require.True(t, ok)
	require.IsType(t, &os.File{}, limited.R)
}

// newReplacingDriver returns a driver that overwrites the object after each of its first reads. It
// does so as often as replacements says: first with ten times "b", then with ten times "c", and so
// on.
func newReplacingDriver(t *testing.T, d driver.Driver, replacements int) driver.Driver {
	reads := 0
	return driver.Intercept(d,
		func(ctx context.Context, call string, next func(context.Context) error) error {
			err := next(ctx)
			isRead := call == "Get" || call == "Head"
			if isRead && reads < replacements {
				data := strings.Repeat(string(rune('b'+reads)), 10)
				reads++
				_, putErr := d.Put(ctx, &driver.PutRequest{
					Key:  "key",
					Body: strings.NewReader(data),
					Size: int64(len(data)),
				})
				require.NoError(t, putErr)
			}
			return err
		})
}

// If an object is replaced before Object sends a byte, Object serves the new object. If this
// happens again and again, the response is 503. After the first byte, Object sends the old object
// or cuts the response off.
func TestObjectChangesMeanwhile(t *testing.T) {
	const (
		oldContent = "aaaaaaaaaa"
		newContent = "bbbbbbbbbb"
		once       = 1   // number of replacements
		always     = 100 // number of replacements
	)

	// newStore returns a store with the old object. In the cases, newReplacingDriver replaces the
	// object after each read, once or always. The first replacement has newContent.
	newStore := func(t *testing.T) driver.Driver {
		store := memstore.NewDriver(memstore.Config{})
		put(t, engine.New(store), "key", oldContent)
		return store
	}

	// The condition If-Range does not hold, so Object has to read the whole object in place of the
	// range. This takes a second request.
	requestRange := func(b storage.Downloader) *http.Response {
		header := map[string]string{"Range": "bytes=2-4", "If-Range": `"another"`}
		return responseTo(http.MethodGet, header, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Own", "stays")
			serve.Object(w, r, b, "key")
		})
	}

	t.Run("replaced once before the first byte", func(t *testing.T) {
		store := newStore(t)
		got := requestRange(engine.New(newReplacingDriver(t, store, once)))
		require.Equal(t, http.StatusOK, got.StatusCode)
		require.Equal(t, newContent, bodyOf(t, got))

		// The second try keeps the header of the caller, and sends the ETag of the new object.
		require.Equal(t, []string{"stays"}, got.Header["X-Own"])
		attrs, err := engine.New(store).Attrs(t.Context(), "key")
		require.NoError(t, err)
		require.Equal(t, attrs.ETag, got.Header.Get("Etag"))
	})

	t.Run("replaced again and again before the first byte", func(t *testing.T) {
		got := requestRange(engine.New(newReplacingDriver(t, newStore(t), always)))
		require.Equal(t, http.StatusServiceUnavailable, got.StatusCode)
		require.Empty(t, got.Header.Get("Etag"))
	})

	t.Run("replaced while one request sends all bytes", func(t *testing.T) {
		b := engine.New(newReplacingDriver(t, newStore(t), always))
		got := responseTo(http.MethodGet, nil, func(w http.ResponseWriter, r *http.Request) {
			serve.Object(w, r, b, "key")
		})
		require.Equal(t, http.StatusOK, got.StatusCode)
		require.Equal(t, oldContent, bodyOf(t, got))
	})

	t.Run("replaced between two ranges", func(t *testing.T) {
		b := engine.New(newReplacingDriver(t, newStore(t), once))
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			serve.Object(w, r, b, "key")
		}))
		defer server.Close()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		require.NoError(t, err)
		r.Header.Set("Range", "bytes=2-4,0-1")

		response, err := client.Do(r)
		require.NoError(t, err)
		defer func() {
			require.NoError(t, response.Body.Close())
		}()

		// The response has the first range of the old object, and breaks off before the second range.
		body, err := io.ReadAll(response.Body)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Contains(t, string(body), "aaa")
		require.NotContains(t, string(body), "\r\n\r\nbb")
	})

	t.Run("grows with each read of a Downloader without revisions", func(t *testing.T) {
		// Each download finds an object that is one byte longer than before.
		size := int64(10)
		zeros := func() io.Reader { return bytes.NewReader(make([]byte, 100)) }
		growing := downloading(func(
			ctx context.Context, key string, opts ...storage.DownloadOption,
		) (*storage.Reader, error) {
			size++
			return newDownloader(storage.Attrs{Size: size}, zeros)(ctx, key, opts...)
		})
		got := requestRange(growing)
		require.Equal(t, http.StatusServiceUnavailable, got.StatusCode)
	})
}

// If the store's body ends early, the client sees that the response is incomplete.
func TestObjectEndsEarly(t *testing.T) {
	for _, span := range []string{"", "bytes=0-9", "bytes=0-3,5-9"} {
		short := newDownloader(storage.Attrs{Size: 20}, func() io.Reader {
			return strings.NewReader("012")
		})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			serve.Object(w, r, short, "key")
		}))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		require.NoError(t, err)
		if span != "" {
			r.Header.Set("Range", span)
		}

		// If the response is short, the request may fail as a whole, before the body is read.
		response, err := client.Do(r)
		if err == nil {
			_, err = io.ReadAll(response.Body)
			require.NoError(t, response.Body.Close())
		}

		require.Error(t, err, "%q", span)
		server.Close()
	}
}
