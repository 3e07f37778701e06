package storagetest

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// Signed URLs need a server at the signed address. Local and memory buckets use serve.NewHandler as
// the server. For these buckets, [Open] passes the address of the server with WithSigningBaseURL.
// Without a server, a bucket does not declare SignedURLs, and signing is Unsupported.

var signingCases = []Case{
	{
		Name:        "a signed URL allows only its own request",
		Rule:        "S3",
		Explanation: "with another method or key, or a changed signature or query, the store refuses it and stores nothing",
		Needs:       storage.SignedURLs,
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a", "b")
			download, err := b.SignedDownloadURL(t.Context(), "a")
			require.NoError(t, err)
			upload, err := b.SignedUploadURL(t.Context(), "a")
			require.NoError(t, err)
			signedURLs := []*storage.SignedURL{download, upload}
			if t.has(storage.SignedRemovals) {
				removal, err := storage.SignedRemoveURL(t.Context(), b, "a")
				require.NoError(t, err)
				signedURLs = append(signedURLs, removal)
			}
			for _, a := range tamperings {
				for _, signedURL := range signedURLs {
					altered := *signedURL
					a.change(t, &altered)
					response := t.do(&altered, strings.NewReader("evil"), nil)
					require.GreaterOrEqual(t, response.status, 400, "%s of %s: %s", a.name, signedURL.Method, response.body)
				}
			}
			for _, a := range equivalentForms {
				for _, signedURL := range []*storage.SignedURL{download, upload} {
					altered := *signedURL
					a.change(t, &altered)
					response := t.do(&altered, strings.NewReader("a"), nil)
					if response.status < 400 && signedURL.Method == http.MethodGet {
						require.Equal(t, "a", response.body, a.name)
					}
				}
			}
			t.requireContent(b, "a", "a")
			t.requireContent(b, "b", "b")
		},
	},
	{
		Name:        "a signed content type is enforced",
		Rule:        "S2",
		Explanation: "with SignedContentType the store refuses another type",
		Needs:       storage.SignedURLs | storage.SignedContentType | storage.ContentProperties,
		run: func(t *T) {
			b := t.open()
			signedURL, err := b.SignedUploadURL(t.Context(), "a", storage.WithContentType("image/png"))
			require.NoError(t, err)
			response := t.do(signedURL, strings.NewReader("x"), http.Header{"Content-Type": {"text/html"}})
			require.GreaterOrEqual(t, response.status, 400, response.body)
			t.requireMissing(b, "a")
		},
	},
	{
		Name:        "a signed upload binds a content type only if asked to",
		Rule:        "S2",
		Explanation: "without WithContentType, a request works without a type and with any type, which the object then has",
		Needs:       storage.SignedURLs,
		run: func(t *T) {
			b := t.open()
			signedURL, err := b.SignedUploadURL(t.Context(), "user-id")
			require.NoError(t, err)
			for name := range signedURL.Header {
				require.NotContains(t, strings.ToLower(name), "content-type")
			}
			response := t.do(signedURL, strings.NewReader("bare"), nil)
			require.Less(t, response.status, 300, response.body)
			t.requireContent(b, "user-id", "bare")
			for _, kind := range []string{"image/png", "application/x-www-form-urlencoded"} {
				response := t.do(signedURL, strings.NewReader(kind), http.Header{"Content-Type": {kind}})
				require.Less(t, response.status, 300, response.body)
				t.requireContent(b, "user-id", kind)
				require.Equal(t, t.keptType(kind), t.attrs(b, "user-id").ContentType)
			}
		},
	},
	{
		Name:        "a signed size is enforced",
		Rule:        "S2",
		Explanation: "the store refuses a longer and a shorter body",
		Needs:       storage.SignedURLs | storage.SignedSize,
		run: func(t *T) {
			b := t.open()
			signedURL, err := b.SignedUploadURL(t.Context(), "a", storage.WithSize(4))
			require.NoError(t, err)
			for _, text := range []string{"longer", "x", ""} {
				require.GreaterOrEqual(t, t.do(signedURL, strings.NewReader(text), nil).status, 400, "%q", text)
				t.requireMissing(b, "a")
			}
			response := t.do(signedURL, strings.NewReader("fits"), nil)
			require.Less(t, response.status, 300, response.body)
			t.requireContent(b, "a", "fits")
		},
	},
	{
		Name:        "a signed create never overwrites",
		Rule:        "S2",
		Explanation: "with IfAbsent the first upload is stored, and the store refuses the second",
		Needs:       storage.SignedURLs | storage.SignedIfAbsent,
		run: func(t *T) {
			b := t.open()
			signedURL, err := b.SignedUploadURL(t.Context(), "a", storage.IfAbsent())
			require.NoError(t, err)
			response := t.do(signedURL, strings.NewReader("first"), nil)
			require.Less(t, response.status, 300, response.body)
			require.GreaterOrEqual(t, t.do(signedURL, strings.NewReader("second"), nil).status, 400)
			t.requireContent(b, "a", "first")
		},
	},
	{
		Name:        "the response to a signed download is as signed",
		Rule:        "S3",
		Explanation: "the response has the file name and media type that the signer chose, and a user cannot add them",
		Needs:       storage.SignedURLs,
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "x")
			signedURL, err := b.SignedDownloadURL(
				t.Context(), "a", storage.WithDownloadName("R\u00e9sum\u00e9 \"1\".pdf"),
				storage.WithResponseContentType("application/pdf"),
			)
			require.NoError(t, err)
			response := t.do(signedURL, nil, nil)
			require.Equal(t, http.StatusOK, response.status, response.body)
			require.Equal(t, "application/pdf", response.header.Get("Content-Type"))
			require.Contains(t, response.header.Get("Content-Disposition"), "attachment")
			require.Contains(t, response.header.Get("Content-Disposition"), "filename*=UTF-8''R%C3%A9sum%C3%A9")
		},
	},
	{
		Name:        "a signed download that is shown has a name",
		Rule:        "S3",
		Explanation: "a browser shows the object and saves it under the name that the signer chose, in any script",
		Needs:       storage.SignedURLs,
		run: func(t *T) {
			b := t.open()
			t.put(
				b, "a", "x", t.contentType("application/pdf"),
				t.optional(storage.ContentProperties, storage.WithContentDisposition("attachment")),
			)
			signedURL, err := b.SignedDownloadURL(
				t.Context(), "a", storage.WithDownloadName("other"),
				storage.WithInlineName("R\u00e9sum\u00e9 \"1\".pdf"),
			)
			require.NoError(t, err)
			response := t.do(signedURL, nil, nil)
			require.Equal(t, http.StatusOK, response.status, response.body)
			require.Equal(
				t, "inline; filename=\"R_sum_ _1_.pdf\"; filename*=UTF-8''R%C3%A9sum%C3%A9%20%221%22.pdf",
				response.header.Get("Content-Disposition"),
			)
			for _, bad := range []string{"", "a\r\nb", strings.Repeat("x", 1025)} {
				_, err := b.SignedDownloadURL(t.Context(), "a", storage.WithInlineName(bad))
				t.requireNothingDone(err, storage.InvalidArgument)
			}
		},
	},
	{
		Name:        "a signed download has the disposition that was signed",
		Rule:        "S3",
		Explanation: "the disposition is the signer's own, for example inline with a file name",
		Needs:       storage.SignedURLs,
		run: func(t *T) {
			b := t.open()
			t.put(
				b, "a", "x", t.contentType("application/pdf"),
				t.optional(storage.ContentProperties, storage.WithContentDisposition("attachment")),
			)
			for _, disposition := range []string{"inline", `inline; filename="test.pdf"`} {
				signedURL, err := b.SignedDownloadURL(
					t.Context(), "a", storage.WithDownloadName("other"),
					storage.WithResponseContentDisposition(disposition),
				)
				require.NoError(t, err)
				response := t.do(signedURL, nil, nil)
				require.Equal(t, http.StatusOK, response.status, response.body)
				require.Equal(t, disposition, response.header.Get("Content-Disposition"))
			}
			for _, bad := range []string{"", "inline\r\nX-A: b", "inline; filename=\"\u00e9\"", "; a"} {
				_, err := b.SignedDownloadURL(t.Context(), "a", storage.WithResponseContentDisposition(bad))
				t.requireNothingDone(err, storage.InvalidArgument)
			}
		},
	},
	{
		Name:        "a signed HEAD returns only the attributes",
		Rule:        "S3",
		Explanation: "a URL for HEAD works with HEAD and with no other method",
		Needs:       storage.SignedURLs | storage.SignedHead,
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "text", t.contentType("text/x-test"))
			signedURL, err := b.SignedDownloadURL(t.Context(), "a", storage.WithMethod(http.MethodHead))
			require.NoError(t, err)
			require.Equal(t, http.MethodHead, signedURL.Method)
			response := t.do(signedURL, nil, nil)
			require.Equal(t, http.StatusOK, response.status)
			require.Equal(t, "4", response.header.Get("Content-Length"))
			require.Equal(t, t.keptType("text/x-test"), response.header.Get("Content-Type"))
			for _, method := range []string{http.MethodGet, http.MethodPut} {
				altered := *signedURL
				altered.Method = method
				response := t.do(&altered, strings.NewReader("evil"), nil)
				require.GreaterOrEqual(t, response.status, 400, "%s: %s", method, response.body)
			}
			t.requireContent(b, "a", "text")
			_, err = b.SignedDownloadURL(t.Context(), "a", storage.WithMethod(http.MethodDelete))
			t.requireNothingDone(err, storage.InvalidArgument)
		},
	},
	{
		Name:        "a signed URL shows no secret",
		Rule:        "E4",
		Explanation: "String, %v, %#v and a log line mask the signature; its JSON, which is for passing it on, does not",
		Needs:       storage.SignedURLs,
		run: func(t *T) {
			b := t.open()
			signedURL, err := b.SignedDownloadURL(t.Context(), "a")
			require.NoError(t, err)
			_, query, ok := strings.Cut(signedURL.URL, "?")
			require.True(t, ok)
			for _, text := range loggedForms(*signedURL) {
				require.NotContains(t, text, query)
			}
		},
	},
	{
		Name:        "an expired signed URL is refused",
		Rule:        "S3",
		Explanation: "it is refused after its expiry, also with a changed expiry; the test waits, because the store's clock cannot be set",
		Needs:       storage.SignedURLs,
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "x")
			signedURL, err := b.SignedDownloadURL(t.Context(), "a", storage.WithTTL(time.Second))
			require.NoError(t, err)
			require.Eventually(t, func() bool { return t.do(signedURL, nil, nil).status >= 400 }, time.Minute,
				200*time.Millisecond)
			require.False(t, time.Now().Before(signedURL.ExpiresAt), "it must work until it expires")
			for _, a := range laterExpiries {
				altered := *signedURL
				a.change(t, &altered)
				require.NotEqual(t, signedURL.URL, altered.URL)
				response := t.do(&altered, nil, nil)
				require.GreaterOrEqual(t, response.status, 400, "with %s: %s", a.name, response.body)
			}
		},
	},
	{
		Name:        "a form uploads within its limits",
		Rule:        "S2",
		Explanation: "the store limits size and type; no store's form supports IfAbsent",
		Needs:       storage.SignedForms | storage.ContentProperties,
		run: func(t *T) {
			b := t.open()
			form, err := storage.SignedUploadForm(t.Context(), b, "a", 2, 5, storage.WithContentType("text/plain"))
			require.NoError(t, err)
			for _, c := range []struct {
				text, kind string
				ok         bool
			}{
				{"x", "text/plain", false}, {"longer", "text/plain", false}, {"fits", "text/html", false}, {"fits", "text/plain", true},
			} {
				status := t.postForm(form, c.text, c.kind)
				require.Equal(t, c.ok, status < 300, "%q as %s: %d", c.text, c.kind, status)
			}
			t.requireContent(b, "a", "fits")
			_, err = storage.SignedUploadForm(t.Context(), b, "a", 5, 2)
			t.requireNothingDone(err, storage.InvalidArgument)
			_, err = storage.SignedUploadForm(t.Context(), b, "a", 2, 5, storage.IfAbsent())
			t.requireNothingDone(err, storage.Unsupported)
		},
	},
}

// signedKeys returns a plain key, and one key of each class of hostile keys.
func signedKeys() []string {
	keys := []string{"plain.txt"}
	for _, hostile := range hostileKeys {
		keys = append(keys, hostile.key)
	}
	return keys
}

// An httpResponse is a response whose body was read to its end.
type httpResponse struct {
	status int
	header http.Header
	body   string
}

// do makes the signed request with the headers that its signature requires. The headers in override
// replace those of the same name. A GET or HEAD has no body.
func (t *T) do(signedURL *storage.SignedURL, body io.Reader, override http.Header) httpResponse {
	t.Helper()
	if signedURL.Method == http.MethodGet || signedURL.Method == http.MethodHead {
		body = nil
	}
	req, err := signedURL.Request(t.Context(), body)
	require.NoError(t, err)
	for name, values := range override {
		req.Header[name] = values
	}
	return t.send(req)
}

// send sends req over a connection of its own, and reads the response.
func (t *T) send(req *http.Request) httpResponse {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()

	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return httpResponse{
		status: resp.StatusCode,
		header: resp.Header,
		body:   string(text),
	}
}

// postForm submits a form as a browser does, with the file after all other fields, and returns the
// status of the response.
func (t *T) postForm(form *storage.SignedForm, text, contentType string) int {
	t.Helper()
	var body strings.Builder
	w := multipart.NewWriter(&body)
	for name, value := range form.Fields {
		if !strings.EqualFold(name, "Content-Type") {
			require.NoError(t, w.WriteField(name, value))
		}
	}
	require.NoError(t, w.WriteField("Content-Type", contentType))

	file, err := w.CreateFormFile("file", "name.txt")
	require.NoError(t, err)
	_, err = io.WriteString(file, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())

	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, form.URL, strings.NewReader(body.String()))
	require.NoError(t, err)
	req.Header.Set("Content-Type", w.FormDataContentType())
	return t.send(req).status
}

// loggedForms returns the text of a value in each form that a program might log, so that a test can look
// for secrets in them.
func loggedForms(value any) []string {
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("here", "value", value)
	return []string{
		fmt.Sprint(value),
		fmt.Sprintf("%+v", value),
		fmt.Sprintf("%#v", value),
		fmt.Sprintf("%s", value),
		fmt.Sprintf("%v", struct{ Inner any }{value}),
		log.String(),
	}
}

// signedKeyCases returns cases for each hostile key of its own, so that a store that cannot hold
// one key is still tested with the others.
func signedKeyCases() []Case {
	var cases []Case
	for _, hostile := range hostileKeys {
		download := Case{
			Name:        "a signed download works as returned, for a key with " + hostile.why,
			Rule:        "S3",
			Needs:       storage.SignedURLs | keyNeeds(hostile.key),
			Explanation: "it works with the returned method and headers, and needs nothing else",
			run: func(t *T) {
				signedDownload(t, hostile.key)
			},
		}
		upload := Case{
			Name:        "a signed upload works as returned, for a key with " + hostile.why,
			Rule:        "S3",
			Needs:       storage.SignedURLs | keyNeeds(hostile.key),
			Explanation: "the object is stored with the attributes that the headers promise",
			run: func(t *T) {
				signedUpload(t, hostile.key)
			},
		}
		cases = append(cases, download, upload)
	}
	return cases
}

// signedDownload requires that a plain HTTP client can download the object with a signed URL.
func signedDownload(t *T, key string) {
	const (
		ttl       = time.Minute
		tolerance = 30 * time.Second // for the clocks of two machines
	)
	b := t.open()
	text := "text of " + key
	t.put(b, key, text, t.contentType("text/x-test"))

	signedURL, err := b.SignedDownloadURL(t.Context(), key, storage.WithTTL(ttl))
	require.NoError(t, err)
	require.Equal(t, http.MethodGet, signedURL.Method)
	require.WithinDuration(t, time.Now().Add(ttl), signedURL.ExpiresAt, tolerance)

	resp := t.do(signedURL, nil, nil)
	require.Equal(t, http.StatusOK, resp.status, "%s", resp.body)
	require.Equal(t, text, resp.body)
	require.Equal(t, t.keptType("text/x-test"), resp.header.Get("Content-Type"))
}

// signedUpload requires that a plain HTTP client can upload the object with a signed URL, and that
// the object then has the signed attributes.
func signedUpload(t *T, key string) {
	b := t.open()
	signedURL, err := b.SignedUploadURL(
		t.Context(), key, t.contentType("text/x-test"),
		t.optional(storage.ContentProperties, storage.WithCacheControl("no-store")),
		t.metadata(map[string]string{"k": "v"}),
	)
	require.NoError(t, err)
	require.Equal(t, http.MethodPut, signedURL.Method)

	// A browser must be able to send the request.
	for name := range signedURL.Header {
		require.NotContains(
			t, []string{"Host", "Content-Length", "Connection", "Origin", "Cookie"}, http.CanonicalHeaderKey(name),
			"a browser refuses to set this header",
		)
	}

	resp := t.do(signedURL, strings.NewReader("text"), nil)
	require.Less(t, resp.status, 300, "%s", resp.body)

	// The object has the signed attributes.
	t.requireContent(b, key, "text")
	attrs := t.attrs(b, key)
	require.Equal(t, t.keptType("text/x-test"), attrs.ContentType)
	if t.has(storage.ContentProperties) {
		require.Equal(t, "no-store", attrs.CacheControl)
	}
	require.Equal(t, t.keptMetadata(map[string]string{"k": "v"}), attrs.Metadata)
}
