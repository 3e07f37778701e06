package console_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/serve/console"
)

// object returns what the console shows of an object.
func (f *fixture) object(t *testing.T, key string) object {
	t.Helper()
	var o object
	f.get(t, "object", &o, "key", key)
	return o
}

// A typed driver returns the same content type for each object.
type typed struct {
	driver.Driver
	contentType string
}

func (d typed) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := d.Driver.Get(ctx, r)
	if err == nil {
		attrs.ContentType = d.contentType
	}
	return attrs, body, err
}

func (d typed) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Head(ctx, r)
	if err == nil {
		attrs.ContentType = d.contentType
	}
	return attrs, err
}

// Responses with an object's content have headers that keep a browser from running the content.
func TestContentRunsNothing(t *testing.T) {
	const script = `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`
	tests := []struct {
		name, key, contentType string
		wantKind               string // of the preview
		wantShown              string // the type with which it is shown, or "" if it is only saved
	}{
		{name: "HTML", key: "a.html", contentType: "text/html", wantKind: "text"},
		{name: "XHTML", key: "a", contentType: "application/xhtml+xml", wantKind: "text"},
		{name: "a script", key: "a.js", contentType: "text/javascript", wantKind: "text"},
		{name: "an SVG", key: "a.svg", contentType: "image/svg+xml", wantKind: "image", wantShown: "image/svg+xml"},
		{name: "a photo", key: "a.jpg", contentType: "image/jpeg", wantKind: "image", wantShown: "image/jpeg"},
		{
			name:        "a photo with a parameter in its type",
			key:         "a.jpg",
			contentType: "image/jpeg; charset=x",
			wantKind:    "image",
			wantShown:   "image/jpeg",
		},
		{name: "a film", key: "a.mp4", contentType: "video/mp4", wantKind: "video", wantShown: "video/mp4"},
		{name: "a PDF", key: "a.pdf", contentType: "application/pdf", wantKind: "pdf"},
		{
			name:        "a photo without a type of its own",
			key:         "a.png",
			contentType: "application/octet-stream",
			wantKind:    "image",
			wantShown:   "image/png",
		},
		{name: "malformed type", key: "a.bin", contentType: "x\ny", wantKind: "none"},
		{name: "two types", key: "a.html", contentType: "image/png, text/html", wantKind: "text"},
		{name: "a Flash film", key: "a.swf", contentType: "application/x-shockwave-flash", wantKind: "none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The layer sets the type, because the engine refuses to store a malformed type.
			layer := driver.WithLayer(func(d driver.Driver) driver.Driver { return typed{d, tt.contentType} })
			f := newFixture(t, console.Config{Token: "t"}, layer)
			f.put(t, tt.key, script)

			o := f.object(t, tt.key)
			require.Equal(t, tt.wantKind, o.Kind)
			require.Equal(t, tt.wantShown != "", o.View != "")

			for _, address := range []string{o.Download, o.View} {
				if address == "" {
					continue
				}
				w := f.visit("/"+address, func(r *http.Request) {
					r.Header.Del("X-Console")
				})
				require.Equal(t, 200, w.Code)
				require.Equal(t, script, w.Body.String())

				h := w.Header()
				require.True(t,
					strings.HasPrefix(h.Get("Content-Security-Policy"), "sandbox; default-src 'none'"))
				require.Len(t, h.Values("Content-Security-Policy"), 1)
				require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))

				if address == o.Download {
					require.Equal(t, "application/octet-stream", h.Get("Content-Type"))
					require.True(t, strings.HasPrefix(h.Get("Content-Disposition"), "attachment"))
				} else {
					require.Equal(t, tt.wantShown, h.Get("Content-Type"))
				}
			}
		})
	}
}

// A browser shows no PDF in a sandbox. So if Config.ContentURL is another origin, the page shows
// PDFs without a sandbox.
func TestContentOfPDFNeedsOwnOrigin(t *testing.T) {
	f := newFixture(t, console.Config{ContentURL: "http://127.0.0.1:9001"})
	f.put(t, "a.pdf", "%PDF-1.7", storage.WithContentType("application/pdf"))

	address := f.object(t, "a.pdf").View
	require.True(t, strings.HasPrefix(address, "http://127.0.0.1:9001/content?"))
	w := httptest.NewRecorder()
	f.page.Content().ServeHTTP(w, httptest.NewRequest("GET", address, nil))

	require.Equal(t, 200, w.Code)
	policy := w.Header().Get("Content-Security-Policy")
	require.NotContains(t, policy, "sandbox")
	require.Contains(t, policy, "default-src 'none'")
	require.Contains(t, policy, "frame-ancestors "+origin)
}

// The address at which a browser loads an object's content is signed, so nobody can change a part of it.
func TestContentAddressLeadsToOneObject(t *testing.T) {
	f := newFixture(t, console.Config{ContentURL: "http://127.0.0.1:9001", Now: clockAt(8)})
	for _, key := range []string{"a.png", "b.png"} {
		f.put(t, key, key, storage.WithContentType("image/png"))
	}
	address := f.object(t, "a.png").View

	tests := []struct {
		name, parameter, value string
	}{
		{name: "another object", parameter: "key", value: "b.png"},
		{name: "another bucket", parameter: "bucket", value: "others"},
		{name: "another version", parameter: "version", value: "1"},
		{name: "another type", parameter: "as", value: "text/html"},
		{name: "no type, as for a file to save", parameter: "as", value: ""},
		{name: "a later end", parameter: "expires", value: "9999999999"},
		{name: "another page that may show it in a frame", parameter: "frame", value: "http://evil.example"},
		{name: "another signature", parameter: "signature", value: "x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Change one parameter of the signed address.
			u, err := url.Parse(address)
			require.NoError(t, err)
			q := u.Query()
			q.Set(tt.parameter, tt.value)
			u.RawQuery = q.Encode()

			w := httptest.NewRecorder()
			f.page.Content().ServeHTTP(w, httptest.NewRequest("GET", u.String(), nil))
			require.Equal(t, 403, w.Code)
		})
	}

	// The status 421, Misdirected Request, says that this server does not have the name in the header Host.
	t.Run("another name of the host", func(t *testing.T) {
		r := httptest.NewRequest("GET", address, nil)
		r.Host = "evil.example"
		w := httptest.NewRecorder()
		f.page.Content().ServeHTTP(w, r)
		require.Equal(t, http.StatusMisdirectedRequest, w.Code)
	})

	t.Run("no address of an object", func(t *testing.T) {
		w := httptest.NewRecorder()
		f.page.Content().ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1:9001/", nil))
		require.Equal(t, 403, w.Code)
	})
}

// The signed address of an object's content expires.
func TestContentAddressExpires(t *testing.T) {
	const lifetime = 12 * time.Hour
	now := clockAt(8)()
	f := newFixture(t, console.Config{Now: func() time.Time { return now }})
	f.put(t, "a.png", "x", storage.WithContentType("image/png"))
	address := "/" + f.object(t, "a.png").View

	now = now.Add(lifetime)
	require.Equal(t, 200, f.visit(address).Code)
	now = now.Add(time.Second)
	require.Equal(t, 403, f.visit(address).Code)
}

// A player can read a film in ranges.
func TestContentOfFilmByRanges(t *testing.T) {
	f := newFixture(t, console.Config{})
	f.put(t, "a.mp4", "0123456789", storage.WithContentType("video/mp4"))

	w := f.visit("/"+f.object(t, "a.mp4").View, func(r *http.Request) {
		r.Header.Set("Range", "bytes=2-4")
	})

	require.Equal(t, 206, w.Code)
	require.Equal(t, "234", w.Body.String())
}

// The page shows the beginning of a text in UTF-8 or UTF-16, and cuts it off between two characters.
func TestContentOfTextIsCutAtCharacter(t *testing.T) {
	const maxShown = 256 << 10 // bytes
	tests := []struct {
		name      string
		content   string
		wantText  string // that the page shows
		wantShown int    // bytes of the content that the page shows
	}{
		{name: "short", content: "grüß", wantText: "grüß", wantShown: 6},
		{name: "empty"},
		{
			// The limit for a shown text is between the two bytes of the é.
			name:      "long",
			content:   strings.Repeat("x", maxShown-1) + "é" + "y",
			wantText:  strings.Repeat("x", maxShown-1),
			wantShown: maxShown - 1,
		},
		{name: "not UTF-8", content: "a\xffb", wantText: "a\ufffdb", wantShown: 3},
		{name: "UTF-16", content: "\xff\xfeh\x00i\x00", wantText: "hi", wantShown: 6},
		{name: "UTF-16 with the larger byte first", content: "\xfe\xff\x00h\x00i", wantText: "hi", wantShown: 6},
		{name: "only a byte order mark", content: "\xff\xfe", wantShown: 2},
		{name: "with a byte order mark", content: "\ufeffa", wantText: "a", wantShown: 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, console.Config{})
			f.put(t, "a.txt", tt.content)
			var got struct {
				Text        string
				Size, Shown int
			}
			f.get(t, "text", &got, "key", "a.txt")
			require.Equal(t, tt.wantText, got.Text)
			require.Equal(t, tt.wantShown, got.Shown)
			require.Equal(t, len(tt.content), got.Size)
		})
	}
}
