package serve_test

import (
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
)

// WithDownloadName sets a Content-Disposition. A browser reads exactly the given name from it,
// whatever characters the name has.
func TestDownloadName(t *testing.T) {
	b := memstore.New()
	put(t, b, "key", "data", storage.WithContentDisposition("inline"))
	names := []string{
		"report.pdf", "with space", `quoted".pdf`, `back\slash`, "ünï.pdf", "日本語", "a;b=c", "a/b",
		"percent%41", "line\r\nSet-Cookie: a=b", "null\x00", "tab\t", "del\x7f", "\xff\xfe",
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			got := responseTo(http.MethodGet, nil, func(w http.ResponseWriter, r *http.Request) {
				serve.Object(w, r, b, "key", serve.WithDownloadName(name))
			})

			require.Len(t, got.Header["Content-Disposition"], 1)
			value := got.Header.Get("Content-Disposition")

			// The value has only printable characters of ASCII.
			for _, c := range []byte(value) {
				require.True(t, c >= ' ' && c < 0x7F, "%q", value)
			}

			// A browser reads the whole name.
			kind, parameters, err := mime.ParseMediaType(value)
			require.NoError(t, err)
			require.Equal(t, "attachment", kind)
			require.Equal(t, name, parameters["filename"])
			require.Empty(t, got.Header.Get("Set-Cookie"))
		})
	}
	t.Run("none", func(t *testing.T) {
		got := responseTo(http.MethodGet, nil, func(w http.ResponseWriter, r *http.Request) {
			serve.Object(w, r, b, "key", serve.WithDownloadName(""))
		})
		require.Equal(t, "attachment", got.Header.Get("Content-Disposition"))
	})
}

// The attributes of an object cannot add headers to the response, even if another program has stored hostile
// attributes.
func TestObjectAttributesInjectNoHeaders(t *testing.T) {
	// Each attribute of the object has this value.
	const hostile = "x\r\nSet-Cookie: a=b\r\n\r\n<script>"
	b := newDownloader(storage.Attrs{
		Size: 4,
		ETag: hostile,
		Properties: storage.Properties{
			ContentType:        hostile,
			ContentEncoding:    hostile,
			ContentDisposition: hostile,
			ContentLanguage:    hostile,
			CacheControl:       hostile,
		},
	}, func() io.Reader {
		return strings.NewReader("data")
	})
	handle := func(w http.ResponseWriter, r *http.Request) {
		serve.Object(w, r, b, "key")
	}

	requireNoInjection := func(t *testing.T, header http.Header, body string) {
		t.Helper()
		require.Empty(t, header.Get("Set-Cookie"))
		for name, values := range header {
			text := strings.Join(values, "")
			require.NotContains(t, text, "script", name)
			require.NotContains(t, text, "Set-Cookie", name)
		}
		require.NotContains(t, body, "script")
		require.NotContains(t, body, "Set-Cookie")
	}

	for _, span := range []string{"", "bytes=0-1", "bytes=0-0,2-2"} {
		t.Run("header of the handler for the range "+span, func(t *testing.T) {
			got := responseTo(http.MethodGet, map[string]string{"Range": span}, handle)
			requireNoInjection(t, got.Header, bodyOf(t, got))
		})
	}

	t.Run("response that a client receives", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(handle))
		defer server.Close()
		response, err := client.Get(server.URL)
		require.NoError(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)

		requireNoInjection(t, response.Header, string(body))
	})
}
