package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/serve/console"
)

func (f *fixture) object(t *testing.T, key string) object {
	t.Helper()
	var o object
	f.get(t, "object", &o, "key", key)
	return o
}

// Responses with an object's content have headers that keep a browser from running it.
func TestContentRunsNothing(t *testing.T) {
	const script = `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`
	for _, row := range []struct {
		name, key, contentType string
		kind                   string
		shown                  string // the type with which it is shown, or "" if it is only saved
	}{
		{"HTML", "a.html", "text/html", "text", ""},
		{"XHTML", "a", "application/xhtml+xml", "text", ""},
		{"a script", "a.js", "text/javascript", "text", ""},
		{"an SVG", "a.svg", "image/svg+xml", "image", "image/svg+xml"},
		{"a photo", "a.jpg", "image/jpeg", "image", "image/jpeg"},
		{"HTML that claims to be a photo", "a.jpg", "image/jpeg; charset=x", "image", "image/jpeg"},
		{"a film", "a.mp4", "video/mp4", "video", "video/mp4"},
		{"a PDF", "a.pdf", "application/pdf", "pdf", ""},
		{"a photo of a store that knows no types", "a.png", "application/octet-stream", "image", "image/png"},
		{"no type", "a.bin", "x\ny", "none", ""},
		{"two types", "a.html", "image/png, text/html", "text", ""},
		{"a Flash film", "a.swf", "application/x-shockwave-flash", "none", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := start(t, console.Config{Token: "t"})
			var opts []storage.UploadOption
			if !strings.Contains(row.contentType, "\n") && !strings.Contains(row.contentType, ",") {
				opts = append(opts, storage.WithContentType(row.contentType))
			}
			f.put(t, row.key, script, opts...)
			o := f.object(t, row.key)
			require.Equal(t, row.kind, o.Kind)
			require.Equal(t, row.shown != "", o.View != "")
			for _, address := range []string{o.Download, o.View} {
				if address == "" {
					continue
				}
				w := f.send("GET", "/"+address, nil, func(r *http.Request) { r.Header.Del("X-Console") })
				require.Equal(t, 200, w.Code)
				require.Equal(t, script, w.Body.String())
				h := w.Header()
				require.True(t, strings.HasPrefix(h.Get("Content-Security-Policy"), "sandbox; default-src 'none'"))
				require.Len(t, h.Values("Content-Security-Policy"), 1)
				require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
				if address == o.Download {
					require.Equal(t, "application/octet-stream", h.Get("Content-Type"))
					require.True(t, strings.HasPrefix(h.Get("Content-Disposition"), "attachment"))
				} else {
					require.Equal(t, row.shown, h.Get("Content-Type"))
				}
			}
		})
	}
}

// A browser shows no PDF in a sandbox, so the page shows PDFs only if Config.ContentURL is another origin.
func TestContentOfPDFNeedsOwnOrigin(t *testing.T) {
	f := start(t, console.Config{ContentURL: "http://127.0.0.1:9001"})
	f.put(t, "a.pdf", "%PDF-1.7", storage.WithContentType("application/pdf"))
	o := f.object(t, "a.pdf")
	require.True(t, strings.HasPrefix(o.View, "http://127.0.0.1:9001/content?"))
	w := httptest.NewRecorder()
	f.page.Content().ServeHTTP(w, httptest.NewRequest("GET", o.View, nil))
	require.Equal(t, 200, w.Code)
	policy := w.Header().Get("Content-Security-Policy")
	require.NotContains(t, policy, "sandbox", "browsers show no PDF in a sandbox")
	require.Contains(t, policy, "default-src 'none'")
	require.Contains(t, policy, "frame-ancestors "+origin)
}

// The signed address of an object's content gives access to that object only.
func TestContentAddressLeadsToOneObject(t *testing.T) {
	f := start(t, console.Config{ContentURL: "http://127.0.0.1:9001", Now: at(8)})
	for _, key := range []string{"a.png", "b.png"} {
		f.put(t, key, key, storage.WithContentType("image/png"))
	}
	address := f.object(t, "a.png").View
	for _, row := range []struct {
		name, parameter, value string
	}{
		{"another object", "key", "b.png"},
		{"another bucket", "bucket", "others"},
		{"another version", "version", "1"},
		{"another type", "as", "text/html"},
		{"the type of a file", "as", ""},
		{"a later end", "expires", "9999999999"},
		{"another frame", "frame", "http://evil.example"},
		{"another signature", "signature", "x"},
	} {
		t.Run(row.name, func(t *testing.T) {
			u, err := url.Parse(address)
			require.NoError(t, err)
			q := u.Query()
			q.Set(row.parameter, row.value)
			u.RawQuery = q.Encode()
			w := httptest.NewRecorder()
			f.page.Content().ServeHTTP(w, httptest.NewRequest("GET", u.String(), nil))
			require.Equal(t, 403, w.Code)
		})
	}
	t.Run("another name of the host", func(t *testing.T) {
		r := httptest.NewRequest("GET", address, nil)
		r.Host = "evil.example"
		w := httptest.NewRecorder()
		f.page.Content().ServeHTTP(w, r)
		require.Equal(t, 421, w.Code)
	})
	t.Run("the page", func(t *testing.T) {
		w := httptest.NewRecorder()
		f.page.Content().ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1:9001/", nil))
		require.Equal(t, 403, w.Code)
	})
}

// The signed address of an object's content expires.
func TestContentAddressExpires(t *testing.T) {
	now := at(8)()
	f := start(t, console.Config{Now: func() time.Time { return now }})
	f.put(t, "a.png", "x", storage.WithContentType("image/png"))
	address := "/" + f.object(t, "a.png").View
	now = now.Add(12 * time.Hour)
	require.Equal(t, 200, f.send("GET", address, nil, nil).Code)
	now = now.Add(time.Second)
	require.Equal(t, 403, f.send("GET", address, nil, nil).Code)
}

// The content handler serves ranges of a film.
func TestContentOfFilmByRanges(t *testing.T) {
	f := start(t, console.Config{})
	f.put(t, "a.mp4", "0123456789", storage.WithContentType("video/mp4"))
	w := f.send("GET", "/"+f.object(t, "a.mp4").View, nil, func(r *http.Request) { r.Header.Set("Range", "bytes=2-4") })
	require.Equal(t, 206, w.Code)
	require.Equal(t, "234", w.Body.String())
}

// A long text is cut off between two characters, not within one.
func TestContentOfTextIsCutAtCharacter(t *testing.T) {
	for _, row := range []struct {
		name, content, text string
		shown               int
	}{
		{"short", "grüß", "grüß", 6},
		{"empty", "", "", 0},
		{"long", strings.Repeat("x", 256<<10-1) + "é" + "y", strings.Repeat("x", 256<<10-1), 256<<10 - 1},
		{"not UTF-8", "a\xffb", "a\ufffdb", 3},
		{"UTF-16", "\xff\xfeh\x00i\x00", "hi", 6},
		{"UTF-16 with the larger byte first", "\xfe\xff\x00h\x00i", "hi", 6},
		{"only a byte order mark", "\xff\xfe", "", 2},
		{"with a byte order mark", "\ufeffa", "a", 4},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := start(t, console.Config{})
			f.put(t, "a.txt", row.content)
			var got struct {
				Text        string
				Size, Shown int
			}
			f.get(t, "text", &got, "key", "a.txt")
			require.Equal(t, row.text, got.Text)
			require.Equal(t, row.shown, got.Shown)
			require.Equal(t, len(row.content), got.Size)
		})
	}
}
