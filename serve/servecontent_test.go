package serve_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/serve"
)

// stored has the objects that both serve.Object and http.ServeContent serve in these tests. The
// tests compare the responses.
var stored = map[string]struct {
	data []byte
	opts []storage.UploadOption
}{
	"text.txt": {pseudoRandom(1000), []storage.UploadOption{
		storage.WithCacheControl("public, max-age=60"), storage.WithContentLanguage("de"), storage.WithContentDisposition(`inline; filename="text.txt"`),
	}},
	"plain": {pseudoRandom(10), nil},
	"empty": {nil, nil},
	"large": {pseudoRandom(4 << 20), nil},
	"gzip.gz": {
		pseudoRandom(10_000),
		[]storage.UploadOption{storage.WithContentEncoding("gzip"), storage.WithContentType("text/plain")},
	},
}

// pseudoRandom returns n bytes. They are the same each time.
func pseudoRandom(n int) []byte {
	data := make([]byte, n)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(data)
	return data
}

var modified = time.Date(2026, 3, 1, 12, 0, 0, 250_000_000, time.UTC)

// clock returns the time of the bucket.
func clock() time.Time { return modified }

// calls records the calls that a bucket makes of its driver.
type calls struct {
	mu   sync.Mutex
	seen []string
}

// layer returns a driver that records each call of d.
func (c *calls) layer(d driver.Driver) driver.Driver {
	return driver.Intercept(d,
		func(ctx context.Context, call string, next func(context.Context) error) error {
			c.mu.Lock()
			c.seen = append(c.seen, call)
			c.mu.Unlock()
			return next(ctx)
		})
}

// drain returns the calls since the last drain.
func (c *calls) drain() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := c.seen
	c.seen = nil
	return lines
}

// runOnBuckets runs a test on a bucket in memory and on one in a directory. driverCalls has the
// calls that the bucket makes of its driver.
func runOnBuckets(t *testing.T, run func(t *testing.T, b storage.Bucket, driverCalls *calls)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) {
		requests := &calls{}
		b := engine.New(memstore.NewDriver(memstore.Config{Now: clock}), driver.WithLayer(requests.layer))
		run(t, b, requests)
	})
	t.Run("local", func(t *testing.T) {
		requests := &calls{}
		b, err := local.Open(filepath.Join(t.TempDir(), "bucket"), local.Config{
			Create: true,
			NoSync: true,
			Now:    clock,
		}, driver.WithLayer(requests.layer))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
		run(t, b, requests)
	})
}

// fill stores the objects of the cases.
func fill(t *testing.T, b storage.Bucket) {
	t.Helper()
	for key, object := range stored {
		_, err := b.Upload(t.Context(), key, bytes.NewReader(object.data), object.opts...)
		require.NoError(t, err)
	}
}

// unpresented removes the headers that are meant for the object from a 412 of http.ServeContent.
// TestObjectPreconditionFails says why the 412 of Object has none.
type unpresented struct{ http.ResponseWriter }

// WriteHeader removes the headers of the object from a response with status 412.
func (w unpresented) WriteHeader(status int) {
	if status == http.StatusPreconditionFailed {
		for _, name := range presentationHeaders {
			w.Header().Del(name)
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// serveContent is the reference for serve.Object.
func serveContent(w http.ResponseWriter, r *http.Request, attrs *storage.Attrs, data []byte) {
	headers := []struct{ name, value string }{
		{name: "Content-Type", value: attrs.ContentType},
		{name: "Content-Encoding", value: attrs.ContentEncoding},
		{name: "Content-Language", value: attrs.ContentLanguage},
		{name: "Content-Disposition", value: attrs.ContentDisposition},
		{name: "Cache-Control", value: attrs.CacheControl},
		{name: "Etag", value: attrs.ETag},
	}
	for _, h := range headers {
		if h.value != "" {
			w.Header().Set(h.name, h.value)
		}
	}
	http.ServeContent(unpresented{w}, r, attrs.Key, attrs.Modified, bytes.NewReader(data))
}

// An answer is all that a client sees of a response.
type answer struct {
	status int
	header http.Header
	length int64 // -1: not known
	body   string
}

// fetch sends a request, and returns what a client sees of the response. It leaves out the date, and replaces the
// random boundary between several ranges, so that two responses can be compared.
func fetch(t *testing.T, method, address string, header http.Header) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	require.NoError(t, err)
	r.Header = header.Clone()

	response, err := client.Do(r)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, response.Body.Close())
	}()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)

	a := answer{
		status: response.StatusCode,
		header: response.Header,
		length: response.ContentLength,
		body:   string(body),
	}
	a.header.Del("Date")
	if mediaType, parameters, _ := mime.ParseMediaType(a.header.Get("Content-Type")); mediaType == "multipart/byteranges" {
		require.NotEmpty(t, parameters["boundary"])
		a.body = strings.ReplaceAll(a.body, parameters["boundary"], "BOUNDARY")
		a.header.Set("Content-Type", mediaType+"; boundary=BOUNDARY")
		require.Len(t, parameters["boundary"], 60,
			"as long as ServeContent's, so that the length is the same")
	}
	return a
}

// client neither decompresses responses nor follows redirects.
var client = &http.Client{
	Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// A contentCase is one request. In its headers, {etag} and {modified} stand for the object's
// values. {before} and {after} stand for one second before and after {modified}.
type contentCase struct {
	name   string
	key    string // "text.txt" where it is empty
	method string // both GET and HEAD if it is empty
	header map[string]string
	calls  []string // of the driver; nil: Get, or Head for HEAD
	// differs says why the response differs from that of http.ServeContent. In this case, want
	// checks the response.
	differs string
	want    func(a answer, t *testing.T)
}

// request returns the headers of the request for an object with these attributes.
func (c contentCase) request(attrs *storage.Attrs) http.Header {
	timeAfter := func(d time.Duration) string { return attrs.Modified.Add(d).Format(http.TimeFormat) }
	fill := strings.NewReplacer("{etag}", attrs.ETag, "{modified}", timeAfter(0), "{before}",
		timeAfter(-time.Second), "{after}", timeAfter(time.Second))
	header := http.Header{}
	for name, value := range c.header {
		header.Set(name, fill.Replace(value))
	}
	return header
}

// asks returns the calls of the driver that the request needs.
func (c contentCase) asks(method string) []string {
	if c.calls != nil {
		return c.calls
	}
	if method == http.MethodHead {
		return []string{"Head"}
	}
	return []string{"Get"}
}

// Object responds to ranges and conditions as http.ServeContent does, with as few calls of the driver as
// possible. A case whose response differs says why, and checks the response itself.
func TestObjectRespondsLikeServeContent(t *testing.T) {
	runOnBuckets(t, func(t *testing.T, b storage.Bucket, driverCalls *calls) {
		fill(t, b)

		// The server uses Object, and the reference uses http.ServeContent.
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			serve.Object(w, r, b, r.URL.Path[1:])
		}))
		defer server.Close()
		reference := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			attrs, err := b.Attrs(r.Context(), r.URL.Path[1:])
			if err != nil {
				panic(err)
			}
			serveContent(w, r, attrs, stored[attrs.Key].data)
		}))
		defer reference.Close()

		for _, c := range slices.Concat(rangeCases, conditionCases, rangeConditionCases) {
			// By default, a case asks for text.txt with both methods.
			if c.key == "" {
				c.key = "text.txt"
			}
			attrs, err := b.Attrs(t.Context(), c.key)
			require.NoError(t, err)
			methods := []string{c.method}
			if c.method == "" {
				methods = []string{http.MethodGet, http.MethodHead}
			}
			header := c.request(attrs)

			for _, method := range methods {
				t.Run(c.name+"/"+method, func(t *testing.T) {
					// Fetch the object. This takes only the calls of the driver that the case names.
					driverCalls.drain()
					got := fetch(t, method, server.URL+"/"+c.key, header)
					require.Equal(t, c.asks(method), driverCalls.drain(), "driver calls")

					// Compare the response with that of http.ServeContent, unless the case says why it differs.
					want := fetch(t, method, reference.URL+"/"+c.key, header)
					if c.differs == "" {
						require.Equal(t, want, got)
						return
					}
					require.NotEqual(t, want, got, "it is the same after all: %s", c.differs)
					c.want(got, t)
				})
			}
		}
	})
}
