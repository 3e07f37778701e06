package serve_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
)

// The handler serves a download at a signed URL.
func TestHandlerSignedDownload(t *testing.T) {
	s := newSite(t)
	attrs := s.put("a b+c/100%.png", "0123456789", storage.WithContentType("image/png"),
		storage.WithCacheControl("max-age=60"))
	u := s.signDownload("a b+c/100%.png")

	tests := []struct {
		name       string
		method     string
		header     []string
		wantStatus int
		wantBody   string
	}{
		{name: "GET", method: "GET", wantStatus: 200, wantBody: "0123456789"},
		{name: "HEAD", method: "HEAD", wantStatus: 200},
		{
			name:       "a range",
			method:     "GET",
			header:     []string{"Range", "bytes=2-4"},
			wantStatus: 206,
			wantBody:   "234",
		},
		{
			name:       "a suffix",
			method:     "GET",
			header:     []string{"Range", "bytes=-2"},
			wantStatus: 206,
			wantBody:   "89",
		},
		{
			name:       "a range, If-Range holds",
			method:     "GET",
			header:     []string{"Range", "bytes=2-4", "If-Range", attrs.ETag},
			wantStatus: 206,
			wantBody:   "234",
		},
		{
			name:       "a range, If-Range does not hold",
			method:     "GET",
			header:     []string{"Range", "bytes=2-4", "If-Range", `"other"`},
			wantStatus: 200,
			wantBody:   "0123456789",
		},
		{
			name:       "If-None-Match with the same ETag",
			method:     "GET",
			header:     []string{"If-None-Match", attrs.ETag},
			wantStatus: 304,
		},
		{
			name:       "If-None-Match with another ETag",
			method:     "GET",
			header:     []string{"If-None-Match", `"other"`},
			wantStatus: 200,
			wantBody:   "0123456789",
		},
		{
			name:       "If-Modified-Since",
			method:     "GET",
			header:     []string{"If-Modified-Since", s.now.Format(http.TimeFormat)},
			wantStatus: 304,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := s.request(tt.method, u.URL, nil, tt.header...)
			require.Equal(t, tt.wantStatus, w.Code, w.Body.String())
			require.Equal(t, tt.wantBody, w.Body.String())
			require.Equal(t, attrs.ETag, w.Header().Get("ETag"))
			if tt.wantStatus < 300 {
				require.Equal(t, "image/png", w.Header().Get("Content-Type"))
				require.Equal(t, "max-age=60", w.Header().Get("Cache-Control"))
				require.Empty(t, w.Header().Get("Content-Disposition"))
			}
		})
	}

	// The object has no byte of this range.
	s.requireRefusal(s.request("GET", u.URL, nil, "Range", "bytes=10-"), 416, "InvalidRange")
}

// A URL that was signed for an old version serves this version until the version is removed.
func TestHandlerSignedVersion(t *testing.T) {
	s := newSite(t)
	old := s.put("a", "old")
	s.put("a", "new")
	current := s.signDownload("a")
	version := s.signDownload("a", storage.WithVersion(old.Version))

	require.Equal(t, "new", s.request("GET", current.URL, nil).Body.String())
	require.Equal(t, "old", s.request("GET", version.URL, nil).Body.String())

	require.NoError(t, s.bucket.Remove(t.Context(), "a", storage.WithVersion(old.Version)))
	s.requireRefusal(s.request("GET", version.URL, nil), 404, "NoSuchKey")
}

// A signed URL can set the content type and the download name of the response.
func TestHandlerSignedHeaders(t *testing.T) {
	s := newSite(t)
	s.put("a", "x", storage.WithContentType("text/plain"), storage.WithContentDisposition("inline"))
	u := s.signDownload(
		"a",
		storage.WithResponseContentType("application/pdf"),
		storage.WithDownloadName("r\u00e9sum\u00e9\".pdf"),
	)

	w := s.request("GET", u.URL, nil)
	require.Equal(t, "application/pdf", w.Header().Get("Content-Type"))
	require.Equal(t, `attachment; filename="r_sum__.pdf"; filename*=UTF-8''r%C3%A9sum%C3%A9%22.pdf`,
		w.Header().Get("Content-Disposition"))
}

// A request without a valid signature reveals nothing, not even whether the object
// exists.
func TestHandlerUnsignedRevealsNothing(t *testing.T) {
	s := newSite(t)
	s.put("secret-key", "hidden")
	signedURL := s.signDownload("secret-key").URL
	_, query, _ := strings.Cut(signedURL, "?")
	expired := s.signDownload("secret-key", storage.WithTTL(time.Second)).URL
	s.now = s.now.Add(time.Minute)

	tests := []struct {
		name     string
		method   string
		address  string
		wantCode string
	}{
		{name: "an object", method: "GET", address: s.publicURL("secret-key"), wantCode: "AccessDenied"},
		{name: "its head", method: "HEAD", address: s.publicURL("secret-key")},
		{name: "a missing object", method: "GET", address: s.publicURL("missing"), wantCode: "AccessDenied"},
		{name: "the bucket", method: "GET", address: siteBase + "/", wantCode: "AccessDenied"},
		{name: "the bucket without a slash", method: "GET", address: siteBase, wantCode: "AccessDenied"},
		{
			name:     "an invalid key",
			method:   "GET",
			address:  siteBase + "/a%00b",
			wantCode: "AccessDenied",
		},
		{name: "a path outside of the bucket", method: "GET", address: siteBase + "/../x", wantCode: "AccessDenied"},
		{name: "an upload", method: "PUT", address: s.publicURL("new"), wantCode: "SignatureDoesNotMatch"},
		{name: "an upload to the bucket", method: "PUT", address: siteBase + "/", wantCode: "AccessDenied"},
		{name: "another method", method: "PUT", address: signedURL, wantCode: "SignatureDoesNotMatch"},
		{
			name:     "another key",
			method:   "GET",
			address:  strings.Replace(signedURL, "secret-key", "secret-kez", 1),
			wantCode: "SignatureDoesNotMatch",
		},
		{
			name:     "a key that was escaped twice",
			method:   "GET",
			address:  strings.Replace(signedURL, "secret-key", "secret%252Dkey", 1),
			wantCode: "SignatureDoesNotMatch",
		},
		{
			name:     "a truncated signature",
			method:   "GET",
			address:  signedURL[:len(signedURL)-3],
			wantCode: "SignatureDoesNotMatch",
		},
		{
			name:     "a doubled query",
			method:   "GET",
			address:  signedURL + "&" + query,
			wantCode: "SignatureDoesNotMatch",
		},
		{
			name:     "an upper-cased query",
			method:   "GET",
			address:  strings.Replace(signedURL, query, strings.ToUpper(query), 1),
			wantCode: "AccessDenied",
		},
		{name: "an expired address", method: "GET", address: expired, wantCode: "RequestExpired"},
		{
			name:     "an expired and altered one",
			method:   "GET",
			address:  expired + "x",
			wantCode: "SignatureDoesNotMatch",
		},
		{
			name:     "the address of another bucket",
			method:   "GET",
			address:  newOtherBucket(t, s),
			wantCode: "SignatureDoesNotMatch",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := s.request(tt.method, tt.address, strings.NewReader("evil"))
			require.Equal(t, http.StatusForbidden, w.Code)
			if tt.method == "HEAD" {
				require.Empty(t, w.Body.String())
				return
			}
			s.requireRefusal(w, http.StatusForbidden, tt.wantCode)
		})
	}
	s.requireContent("secret-key", "hidden")

	// The signed URL is valid, even if a browser or a proxy escapes its path in another way.
	require.Equal(t, http.StatusOK, s.request("GET", signedURL, nil).Code)
	escaped := strings.Replace(signedURL, "secret-key", "%73ecret%2Dkey", 1)
	require.Equal(t, http.StatusOK, s.request("GET", escaped, nil).Code)
}

// newOtherBucket creates another bucket in the same account. It returns a signed URL for the key
// "secret-key" in this bucket.
func newOtherBucket(t *testing.T, s *site) string {
	t.Helper()
	s.update(s.service.CreateBucket(t.Context(), "other-bucket"))
	b, err := s.service.Bucket("other-bucket")
	require.NoError(t, err)
	u, err := b.SignedDownloadURL(t.Context(), "secret-key")
	require.NoError(t, err)
	return u.URL
}

// A valid signed URL of a missing object gets 404.
func TestHandlerSignedMissingObject(t *testing.T) {
	s := newSite(t)
	s.requireRefusal(s.request("GET", s.signDownload("secret-key").URL, nil), 404, "NoSuchKey")
}

// Without a signature, the handler serves only public objects, or all objects of a public bucket.
func TestHandlerPublicObjects(t *testing.T) {
	s := newSite(t)
	s.put("shown", "for all", storage.WithPublicRead())
	s.put("hidden", "for few")

	// Only the public object is served.
	require.Equal(t, "for all", s.request("GET", s.publicURL("shown"), nil).Body.String())
	require.Equal(t, "for all", s.request("GET", s.publicURL("shown")+"?v=blob-7", nil).Body.String(),
		"an unknown query is ignored")
	require.Equal(t, "all", s.request("GET", s.publicURL("shown"), nil, "Range", "bytes=-3").Body.String())
	s.requireRefusal(s.request("GET", s.publicURL("hidden"), nil), 403, "AccessDenied")
	s.requireRefusal(s.request("GET", s.publicURL("shown")+"?ob-signature=x", nil), 403, "SignatureDoesNotMatch")

	// An upload without WithPublicRead makes the object private.
	s.put("shown", "for few")
	s.requireRefusal(s.request("GET", s.publicURL("shown"), nil), 403, "AccessDenied")

	// In a public bucket, all objects are served, and nothing can be written.
	s.makePublic()
	require.Equal(t, "for few", s.request("GET", s.publicURL("hidden"), nil).Body.String())
	s.requireRefusal(s.request("GET", s.publicURL("secret-key"), nil), 404, "NoSuchKey")
	s.requireRefusal(s.request("PUT", s.publicURL("new"), strings.NewReader("x")), 403, "SignatureDoesNotMatch")
}

// If another object replaces a public one between the handler's check and the download, it is
// served only if it is public, too.
func TestHandlerPublicObjectIsChecked(t *testing.T) {
	var replaceOnce func() // runs before the next download
	replacing := func(d driver.Driver) driver.Driver {
		return driver.Intercept(d,
			func(ctx context.Context, call string, next func(context.Context) error) error {
				if call == "Get" && replaceOnce != nil {
					replace := replaceOnce
					replaceOnce = nil
					replace()
				}
				return next(ctx)
			})
	}
	b := memstore.New(storage.WithSigningBaseURL(siteBase), driver.WithLayer(replacing))
	s := &site{T: t, bucket: b, handler: serve.NewHandler(b)}

	// If a private object replaces the public one, it must not be served.
	s.put("a", "public", storage.WithPublicRead())
	replaceOnce = func() {
		s.put("a", "private")
	}
	s.requireRefusal(s.request("GET", siteBase+"/a", nil), 403, "AccessDenied")

	// If another public object replaces the public one, it may be served.
	s.put("a", "public", storage.WithPublicRead())
	replaceOnce = func() {
		s.put("a", "public again", storage.WithPublicRead())
	}
	require.Equal(t, "public again", s.request("GET", siteBase+"/a", nil).Body.String())
}

// The handler responds with 405 to a method that it does not support.
func TestHandlerRefusesOtherMethods(t *testing.T) {
	s := newSite(t)
	s.put("a", "x", storage.WithPublicRead())
	for _, method := range []string{"PATCH", "TRACE", "PROPFIND"} {
		w := s.request(method, s.publicURL("a"), nil)
		s.requireRefusal(w, 405, "MethodNotAllowed")
		require.Equal(t, "DELETE, GET, HEAD, OPTIONS, POST, PUT", w.Header().Get("Allow"))
	}
	s.requireRefusal(s.request("POST", s.publicURL("a"), nil), 405, "MethodNotAllowed")
	s.requireContent("a", "x")
}

// The handler finds the key in the path of a request if it runs alone, in a ServeMux or under
// http.StripPrefix.
func TestHandlerMounts(t *testing.T) {
	s := newSite(t)
	inMux := func(pattern string, h http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.Handle(pattern, h)
		return mux
	}

	tests := []struct {
		name    string
		handler http.Handler
	}{
		{name: "bare", handler: s.handler},
		{name: "in a mux", handler: inMux("/files/", s.handler)},
		{name: "in a mux, by method", handler: inMux("GET /files/{rest...}", s.handler)},
		{name: "under StripPrefix", handler: inMux("/files/", http.StripPrefix("/files", s.handler))},
		{
			name:    "under StripPrefix, slash and all",
			handler: inMux("/files/", http.StripPrefix("/files/", s.handler)),
		},
	}
	for _, tt := range tests {
		for _, key := range []string{"a", "files/a", "files", "a b/\u00e9+%2F?#"} {
			s.put(key, "text of "+key)
			w := httptest.NewRecorder()
			tt.handler.ServeHTTP(w, httptest.NewRequest("GET", s.signDownload(key).URL, nil))
			require.Equal(t, "text of "+key, w.Body.String(), "%s: %q", tt.name, key)
		}
	}
}

// A request outside of the path of the signing base URL is refused, with a hint for proxies that remove that path.
func TestHandlerRefusesOtherPaths(t *testing.T) {
	s := newSite(t)
	s.put("a", "text")
	u := s.signDownload("a").URL
	for _, path := range []string{"/a", "/other/a", "/filesystem/a", "/x/files/a"} {
		w := s.request("GET", strings.Replace(u, "/files/a", path, 1), nil)
		s.requireRefusal(w, 404, "InvalidURI")
		require.Contains(t, w.Body.String(), "serve.WithoutPrefix", path)
	}
}

// With WithoutPrefix, the handler works behind a proxy that removes or replaces the prefix /files/ of signed URLs. Keys
// that begin like the prefix work, too.
func TestHandlerBehindProxyWithoutPrefix(t *testing.T) {
	s := newSite(t, serve.WithoutPrefix())
	s.makePublic()
	keys := []string{"a", "files/a", "files/files/a", "files", "a b/\u00e9+%2F?#"}
	for _, key := range keys {
		s.put(key, "text of "+key)
	}

	tests := []struct {
		name        string
		replacement string // what the proxy replaces /files/ with
		handler     http.Handler
	}{
		{name: "to the root", replacement: "/", handler: s.handler},
		{
			name:        "to another path, under StripPrefix",
			replacement: "/internal/",
			handler:     http.StripPrefix("/internal", s.handler),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// sendToProxy sends a request to the handler in the form in which the proxy would pass
			// it on.
			sendToProxy := func(method, url string, body io.Reader, contentType string) *httptest.ResponseRecorder {
				target := strings.Replace(url, siteBase+"/", "http://inner"+tt.replacement, 1)
				r := httptest.NewRequest(method, target, body)
				if contentType != "" {
					r.Header.Set("Content-Type", contentType)
				}
				w := httptest.NewRecorder()
				tt.handler.ServeHTTP(w, r)
				return w
			}

			// Each object can be read by its signed and its public URL.
			for _, key := range keys {
				signed := sendToProxy("GET", s.signDownload(key).URL, nil, "")
				require.Equal(t, "text of "+key, signed.Body.String())
				public := sendToProxy("GET", s.publicURL(key), nil, "")
				require.Equal(t, "text of "+key, public.Body.String())
			}

			// Uploads by URL and by form work as well.
			u := s.signUpload("files/new", storage.WithContentType("text/plain"))
			w := sendToProxy("PUT", u.URL, strings.NewReader(tt.name), "text/plain")
			require.Equal(t, 200, w.Code)
			s.requireContent("files/new", tt.name)

			const minSize, maxSize = 0, 100
			f := s.signForm("files/form", minSize, maxSize)
			contentType, body := encodeForm(t, fieldsOf(f, tt.name))
			w = sendToProxy("POST", f.URL, bytes.NewReader(body), contentType)
			require.Equal(t, 204, w.Code)
			s.requireContent("files/form", tt.name)
		})
	}
}

// The signing base URL may be a host without a path.
func TestHandlerBaseIsHost(t *testing.T) {
	b := memstore.New(storage.WithSigningBaseURL("http://files.example.com"))
	s := &site{T: t, bucket: b, handler: serve.NewHandler(b)}
	s.put("a/b", "text")
	require.Equal(t, "text", s.request("GET", s.signDownload("a/b").URL, nil).Body.String())
	require.True(t, strings.HasPrefix(s.signDownload("a/b").URL, "http://files.example.com/a/b?"))
}

// A handler refuses each request and says why, if its bucket is narrowed or wrapped, or has no signing base URL.
func TestHandlerRefusesOtherStores(t *testing.T) {
	parent := memstore.New(storage.WithSigningBaseURL(siteBase))
	tests := []struct {
		name   string
		bucket storage.Bucket
	}{
		{name: "no signing base URL", bucket: memstore.New()},
		{name: "narrowed to a prefix", bucket: storage.Prefixed(parent, "p/")},
		{name: "narrowed to a reference", bucket: storage.Ref[storage.Downloader](parent).(storage.Bucket)},
		{name: "embedded in another type", bucket: struct{ storage.Bucket }{parent}},
		{
			name: "a store that serves signed URLs itself",
			bucket: engine.New(elsewhere{memstore.NewDriver(memstore.Config{})},
				storage.WithSigningBaseURL(siteBase)),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The request is refused, and the response says what to do.
			s := &site{T: t, bucket: tt.bucket, handler: serve.NewHandler(tt.bucket)}
			w := s.request("GET", siteBase+"/a", nil)
			s.requireRefusal(w, 501, "NotImplemented")
			require.Contains(t, w.Body.String(), "narrowed or embedded in another type")
			require.Contains(t, w.Body.String(), "Create the handler with the whole bucket")
		})
	}
}

// elsewhere is a driver whose store serves signed addresses itself.
type elsewhere struct{ driver.Driver }

// Describe returns a description without the origin that a local store has for signed addresses.
func (e elsewhere) Describe() driver.Description {
	d := e.Driver.Describe()
	d.Origin = nil
	d.NeedsSigningBase = false
	return d
}

// If the bucket is missing, the response is 404.
func TestHandlerMissingBucket(t *testing.T) {
	s := newSite(t)
	u := s.signDownload("a")
	require.NoError(t, s.service.DeleteBucket(t.Context(), "bucket"))
	s.requireRefusal(s.request("GET", u.URL, nil), 404, "NoSuchBucket")
	s.requireRefusal(s.requestSigned(s.signUpload("a"), "x"), 404, "NoSuchBucket")
}

// If the bucket fails, the HTTP status and the S3 error code of the response are those for the
// bucket's error code.
func TestHandlerErrorResponses(t *testing.T) {
	tests := []struct {
		code       storage.Code // of the bucket's error
		wantStatus int
		wantCode   string
	}{
		{code: storage.PermissionDenied, wantStatus: 403, wantCode: "AccessDenied"},
		{code: storage.InvalidArgument, wantStatus: 400, wantCode: "InvalidRequest"},
		{code: storage.RateLimited, wantStatus: 429, wantCode: "SlowDown"},
		{code: storage.Unavailable, wantStatus: 503, wantCode: "ServiceUnavailable"},
		{code: storage.TooLarge, wantStatus: 413, wantCode: "EntityTooLarge"},
		{code: storage.Unsupported, wantStatus: 501, wantCode: "NotImplemented"},
		{code: storage.Internal, wantStatus: 500, wantCode: "InternalError"},
	}
	for _, tt := range tests {
		t.Run(string(tt.code), func(t *testing.T) {
			// The hook makes each upload and download fail. The cause of the error must not reach the client.
			refuse := func(_ context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
				if op.Name == "Upload" || op.Name == "Download" {
					return nil, nil, &storage.Error{Code: tt.code, Err: errors.New("secret-key of memory")}
				}
				return nil, nil, nil
			}
			b := memstore.New(storage.WithSigningBaseURL(siteBase), storage.WithHook(refuse))
			s := &site{T: t, bucket: b, handler: serve.NewHandler(b)}

			s.requireRefusal(s.request("GET", s.signDownload("a").URL, nil), tt.wantStatus, tt.wantCode)
			s.requireRefusal(s.requestSigned(s.signUpload("a"), "x"), tt.wantStatus, tt.wantCode)
		})
	}
}

// The response to a request with 10,000 ranges is not longer than the object.
func TestHandlerManyRangesAreCheap(t *testing.T) {
	s := newSite(t)
	const size = 100
	s.put("a", strings.Repeat("x", size))
	ranges := make([]string, 10_000)
	for i := range ranges {
		ranges[i] = fmt.Sprintf("%d-%d", i%size, i%size)
	}

	w := s.request("GET", s.signDownload("a").URL, nil, "Range", "bytes="+strings.Join(ranges, ","))
	require.LessOrEqual(t, w.Body.Len(), size)
}
