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

// Signing needs somebody who answers the address: of local and memory buckets,
// serve.NewHandler, to which Open points WithSigningBaseURL. A bucket without
// one answers Unsupported, and so declares no SignURLs.

var signingCases = []Case{
	{
		Name: "a signed address opens one door", Rule: "S3",
		Explanation: "with another method, another key, and any other signature or query it is refused, and nothing is stored",
		Needs:       storage.SignURLs,
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a", "b")
			download, err := b.SignedDownloadURL(t.Context(), "a")
			require.NoError(t, err)
			upload, err := b.SignedUploadURL(t.Context(), "a")
			require.NoError(t, err)
			for _, a := range alterations {
				for _, signed := range []*storage.SignedURL{download, upload} {
					altered := *signed
					a.change(t, &altered)
					answer := t.do(&altered, strings.NewReader("evil"), nil)
					require.GreaterOrEqual(t, answer.status, 400, "%s of %s: %s", a.name, signed.Method, answer.body)
				}
			}
			for _, a := range sameInOtherWords {
				for _, signed := range []*storage.SignedURL{download, upload} {
					altered := *signed
					a.change(t, &altered)
					answer := t.do(&altered, strings.NewReader("a"), nil)
					if answer.status < 400 && signed.Method == http.MethodGet {
						require.Equal(t, "a", answer.body, a.name)
					}
				}
			}
			t.holds(b, "a", "a")
			t.holds(b, "b", "b")
		},
	},
	{
		Name: "a signed content type is enforced", Rule: "S2",
		Explanation: "where SignContentType is declared the store refuses another one",
		Needs:       storage.SignURLs | storage.SignContentType | storage.ContentProperties,
		run: func(t *T) {
			b := t.open()
			signed, err := b.SignedUploadURL(t.Context(), "a", storage.WithContentType("image/png"))
			require.NoError(t, err)
			answer := t.do(signed, strings.NewReader("x"), http.Header{"Content-Type": {"text/html"}})
			require.GreaterOrEqual(t, answer.status, 400, answer.body)
			t.missing(b, "a")
		},
	},
	{
		Name: "a signed upload binds no content type that nobody asked for", Rule: "S2",
		Explanation: "without WithContentType a request without a type works, and so does one with any type, which the object has then",
		Needs:       storage.SignURLs,
		run: func(t *T) {
			b := t.open()
			signed, err := b.SignedUploadURL(t.Context(), "user-id")
			require.NoError(t, err)
			for name := range signed.Header {
				require.NotContains(t, strings.ToLower(name), "content-type")
			}
			answer := t.do(signed, strings.NewReader("bare"), nil)
			require.Less(t, answer.status, 300, answer.body)
			t.holds(b, "user-id", "bare")
			for _, kind := range []string{"image/png", "application/x-www-form-urlencoded"} {
				answer := t.do(signed, strings.NewReader(kind), http.Header{"Content-Type": {kind}})
				require.Less(t, answer.status, 300, answer.body)
				t.holds(b, "user-id", kind)
				require.Equal(t, t.keptType(kind), t.attrs(b, "user-id").ContentType)
			}
		},
	},
	{
		Name: "a signed size is enforced", Rule: "S2",
		Explanation: "a longer and a shorter body are refused by the store",
		Needs:       storage.SignURLs | storage.SignSize,
		run: func(t *T) {
			b := t.open()
			signed, err := b.SignedUploadURL(t.Context(), "a", storage.WithSize(4))
			require.NoError(t, err)
			for _, text := range []string{"longer", "x", ""} {
				require.GreaterOrEqual(t, t.do(signed, strings.NewReader(text), nil).status, 400, "%q", text)
				t.missing(b, "a")
			}
			answer := t.do(signed, strings.NewReader("fits"), nil)
			require.Less(t, answer.status, 300, answer.body)
			t.holds(b, "a", "fits")
		},
	},
	{
		Name: "a signed create never overwrites", Rule: "S2",
		Explanation: "with IfAbsent the first upload stores, the second is refused by the store",
		Needs:       storage.SignURLs | storage.SignIfAbsent,
		run: func(t *T) {
			b := t.open()
			signed, err := b.SignedUploadURL(t.Context(), "a", storage.IfAbsent())
			require.NoError(t, err)
			answer := t.do(signed, strings.NewReader("first"), nil)
			require.Less(t, answer.status, 300, answer.body)
			require.GreaterOrEqual(t, t.do(signed, strings.NewReader("second"), nil).status, 400)
			t.holds(b, "a", "first")
		},
	},
	{
		Name: "a download's answer is as it was signed", Rule: "S3",
		Explanation: "the file name and media type that the signer chose are in the answer, and cannot be added by others",
		Needs:       storage.SignURLs,
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "x")
			signed, err := b.SignedDownloadURL(t.Context(), "a", storage.WithDownloadName("R\u00e9sum\u00e9 \"1\".pdf"), storage.WithResponseContentType("application/pdf"))
			require.NoError(t, err)
			answer := t.do(signed, nil, nil)
			require.Equal(t, http.StatusOK, answer.status, answer.body)
			require.Equal(t, "application/pdf", answer.header.Get("Content-Type"))
			require.Contains(t, answer.header.Get("Content-Disposition"), "attachment")
			require.Contains(t, answer.header.Get("Content-Disposition"), "filename*=UTF-8''R%C3%A9sum%C3%A9")
		},
	},
	{
		Name: "a signed download is shown as the signer wants it", Rule: "S3",
		Explanation: "the disposition is the signer's own, as an inline one with a file name",
		Needs:       storage.SignURLs,
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "x", t.contentType("application/pdf"), t.optional(storage.ContentProperties, storage.WithContentDisposition("attachment")))
			for _, disposition := range []string{"inline", `inline; filename="test.pdf"`} {
				signed, err := b.SignedDownloadURL(t.Context(), "a", storage.WithDownloadName("other"), storage.WithResponseContentDisposition(disposition))
				require.NoError(t, err)
				answer := t.do(signed, nil, nil)
				require.Equal(t, http.StatusOK, answer.status, answer.body)
				require.Equal(t, disposition, answer.header.Get("Content-Disposition"))
			}
			for _, bad := range []string{"", "inline\r\nX-A: b", "inline; filename=\"\u00e9\"", "; a"} {
				_, err := b.SignedDownloadURL(t.Context(), "a", storage.WithResponseContentDisposition(bad))
				t.settled(err, storage.InvalidArgument)
			}
		},
	},
	{
		Name: "a signed HEAD tells the attributes and reads nothing", Rule: "S3",
		Explanation: "an address for HEAD answers HEAD, and no other method",
		Needs:       storage.SignURLs | storage.SignHead,
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "text", t.contentType("text/x-test"))
			signed, err := b.SignedDownloadURL(t.Context(), "a", storage.WithMethod(http.MethodHead))
			require.NoError(t, err)
			require.Equal(t, http.MethodHead, signed.Method)
			answer := t.do(signed, nil, nil)
			require.Equal(t, http.StatusOK, answer.status)
			require.Equal(t, "4", answer.header.Get("Content-Length"))
			require.Equal(t, t.keptType("text/x-test"), answer.header.Get("Content-Type"))
			for _, method := range []string{http.MethodGet, http.MethodPut} {
				altered := *signed
				altered.Method = method
				answer := t.do(&altered, strings.NewReader("evil"), nil)
				require.GreaterOrEqual(t, answer.status, 400, "%s: %s", method, answer.body)
			}
			t.holds(b, "a", "text")
			_, err = b.SignedDownloadURL(t.Context(), "a", storage.WithMethod(http.MethodDelete))
			t.settled(err, storage.InvalidArgument)
		},
	},
	{
		Name: "a signed address shows no secret", Rule: "E4",
		Explanation: "String, %v, %#v and a log line mask the signature; its JSON, for handing over, does not",
		Needs:       storage.SignURLs,
		run: func(t *T) {
			b := t.open()
			signed, err := b.SignedDownloadURL(t.Context(), "a")
			require.NoError(t, err)
			_, query, found := strings.Cut(signed.URL, "?")
			require.True(t, found)
			for _, text := range printed(*signed) {
				require.NotContains(t, text, query)
			}
		},
	},
	{
		Name: "an expired address is refused", Rule: "S3",
		Explanation: "it fails after expiry, whatever end is written into it; the wait is for the store's clock, which no test can set",
		Needs:       storage.SignURLs,
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "x")
			signed, err := b.SignedDownloadURL(t.Context(), "a", storage.WithTTL(time.Second))
			require.NoError(t, err)
			require.Eventually(t, func() bool { return t.do(signed, nil, nil).status >= 400 }, 10*time.Second, 200*time.Millisecond)
			require.False(t, time.Now().Before(signed.ExpiresAt), "it worked until it expired")
			for _, a := range laterEnds {
				altered := *signed
				a.change(t, &altered)
				require.NotEqual(t, signed.URL, altered.URL)
				answer := t.do(&altered, nil, nil)
				require.GreaterOrEqual(t, answer.status, 400, "with %s: %s", a.name, answer.body)
			}
		},
	},
	{
		Name: "a form uploads within its bounds", Rule: "S2",
		Explanation: "size and type are bounded by the store; no store's form knows IfAbsent",
		Needs:       storage.SignForms | storage.ContentProperties,
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
				status := t.post(form, c.text, c.kind)
				require.Equal(t, c.ok, status < 300, "%q as %s: %d", c.text, c.kind, status)
			}
			t.holds(b, "a", "fits")
			_, err = storage.SignedUploadForm(t.Context(), b, "a", 5, 2)
			t.settled(err, storage.InvalidArgument)
			_, err = storage.SignedUploadForm(t.Context(), b, "a", 2, 5, storage.IfAbsent())
			t.settled(err, storage.Unsupported)
		},
	},
}

// signedKeys are one of each class of hostile key.
func signedKeys() []string {
	keys := []string{"plain.txt"}
	for _, hostile := range hostileKeys {
		keys = append(keys, hostile.key)
	}
	return keys
}

type answered struct {
	status int
	header http.Header
	body   string
}

// do makes a signed request, with the headers that it must carry, changed by
// override.
func (t *T) do(signed *storage.SignedURL, body io.Reader, override http.Header) answered {
	t.Helper()
	if signed.Method == http.MethodGet || signed.Method == http.MethodHead {
		body = nil
	}
	request, err := signed.Request(t.Context(), body)
	require.NoError(t, err)
	for name, values := range override {
		request.Header[name] = values
	}
	return t.send(request)
}

func (t *T) send(request *http.Request) answered {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	response, err := client.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answered{response.StatusCode, response.Header, string(text)}
}

// post submits a form as a browser does: its fields first, the file last.
func (t *T) post(form *storage.UploadForm, text, kind string) int {
	t.Helper()
	var body strings.Builder
	w := multipart.NewWriter(&body)
	for name, value := range form.Fields {
		if !strings.EqualFold(name, "Content-Type") {
			require.NoError(t, w.WriteField(name, value))
		}
	}
	require.NoError(t, w.WriteField("Content-Type", kind))
	file, err := w.CreateFormFile("file", "name.txt")
	require.NoError(t, err)
	_, err = io.WriteString(file, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, form.URL, strings.NewReader(body.String()))
	require.NoError(t, err)
	request.Header.Set("Content-Type", w.FormDataContentType())
	return t.send(request).status
}

// printed is a value in all the ways in which it gets into logs.
func printed(value any) []string {
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("here", "value", value)
	return []string{
		fmt.Sprint(value), fmt.Sprintf("%+v", value), fmt.Sprintf("%#v", value), fmt.Sprintf("%s", value),
		fmt.Sprintf("%v", struct{ Inner any }{value}), log.String(),
	}
}

// signedKeyCases are one pair for each key of K3: a store that cannot hold one
// of them is judged by all the others.
func signedKeyCases() []Case {
	var cases []Case
	for _, hostile := range hostileKeys {
		cases = append(cases,
			Case{
				Name: "a signed download works as returned, of a key with " + hostile.why, Rule: "S3", Needs: storage.SignURLs | keyNeeds(hostile.key),
				Explanation: "the method and headers that came with it, and nothing else",
				run:         func(t *T) { signedDownload(t, hostile.key) },
			},
			Case{
				Name: "a signed upload works as returned, of a key with " + hostile.why, Rule: "S3", Needs: storage.SignURLs | keyNeeds(hostile.key),
				Explanation: "the object is stored with the attributes that the headers promise",
				run:         func(t *T) { signedUpload(t, hostile.key) },
			})
	}
	return cases
}

func signedDownload(t *T, key string) {
	b := t.open()
	t.put(b, key, "text of "+key, t.contentType("text/x-test"))
	signed, err := b.SignedDownloadURL(t.Context(), key, storage.WithTTL(time.Minute))
	require.NoError(t, err)
	require.Equal(t, http.MethodGet, signed.Method)
	require.WithinDuration(t, time.Now().Add(time.Minute), signed.ExpiresAt, 30*time.Second)
	answer := t.do(signed, nil, nil)
	require.Equal(t, http.StatusOK, answer.status, "%s", answer.body)
	require.Equal(t, "text of "+key, answer.body)
	require.Equal(t, t.keptType("text/x-test"), answer.header.Get("Content-Type"))
}

func signedUpload(t *T, key string) {
	b := t.open()
	signed, err := b.SignedUploadURL(t.Context(), key, t.contentType("text/x-test"),
		t.optional(storage.ContentProperties, storage.WithCacheControl("no-store")), t.metadata(map[string]string{"k": "v"}))
	require.NoError(t, err)
	require.Equal(t, http.MethodPut, signed.Method)
	for name := range signed.Header {
		require.NotContains(t, []string{"Host", "Content-Length", "Connection", "Origin", "Cookie"}, http.CanonicalHeaderKey(name),
			"a browser refuses to set it")
	}
	answer := t.do(signed, strings.NewReader("text"), nil)
	require.Less(t, answer.status, 300, "%s", answer.body)
	t.holds(b, key, "text")
	attrs := t.attrs(b, key)
	require.Equal(t, t.keptType("text/x-test"), attrs.ContentType)
	if t.has(storage.ContentProperties) {
		require.Equal(t, "no-store", attrs.CacheControl)
	}
	require.Equal(t, t.keptMetadata(map[string]string{"k": "v"}), attrs.Metadata)
}
