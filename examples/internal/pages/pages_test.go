package pages

import (
	"context"
	"net/http/httptest"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

const page = `{{define "title"}}{{.}}{{end}}{{define "lead"}}<code title="{{.}}">{{.}}</code>{{end}}
{{define "script"}}<script type="module" src="app.js"></script>{{end}}{{define "main"}}<p>{{.}}</p>{{end}}`

// ask returns the response of a site to a request.
func ask(t *testing.T, s Site, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	h, err := Handler(s)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

// siteWith returns a site of files, by their names.
func siteWith(files map[string]string) Site {
	site := fstest.MapFS{}
	for name, content := range files {
		site[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return Site{Example: "demo", Files: site}
}

// The data of a page is escaped, and its links lead to no scripts.
func TestDataIsText(t *testing.T) {
	s := siteWith(map[string]string{"index.html": page})
	s.Data = `"><script>alert(1)</script></title>`
	s.Links = []Link{{Address: "javascript:alert(1)", Name: "<b>bold</b>"}}

	body := ask(t, s, "GET", "/").Body.String()
	require.NotContains(t, body, "<script>")
	require.NotContains(t, body, "</title></title>")
	require.NotContains(t, body, "<b>")
	require.NotContains(t, body, "javascript:")
	require.Contains(t, body, "<p>&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;/title&gt;</p>")
}

// One link leads to the page itself.
func TestLinkToThePageItself(t *testing.T) {
	s := siteWith(map[string]string{"index.html": page, "other.html": page})
	s.Data = "Files"
	s.Links = []Link{{Address: ".", Name: "First"}, {Address: "other.html", Name: "Second"}}
	require.Contains(t, ask(t, s, "GET", "/").Body.String(), `<a href="." aria-current="page">First</a>`)
	require.Contains(t, ask(t, s, "GET", "/other.html").Body.String(), `<a href="other.html" aria-current="page">Second</a>`)
}

// Files are served by their names.
func TestHandlerServesFilesByName(t *testing.T) {
	s := siteWith(map[string]string{"index.html": page, "app.js": "import './shared/live.js';"})
	tests := []struct {
		name, method, path string
		wantStatus         int
		wantContentType    string
	}{
		{name: "the page", method: "GET", path: "/", wantStatus: 200, wantContentType: "text/html; charset=utf-8"},
		{
			name:            "a script",
			method:          "GET",
			path:            "/app.js",
			wantStatus:      200,
			wantContentType: "text/javascript; charset=utf-8",
		},
		{
			name:            "the stylesheet",
			method:          "GET",
			path:            "/shared/style.css",
			wantStatus:      200,
			wantContentType: "text/css; charset=utf-8",
		},
		{name: "the icon", method: "HEAD", path: "/shared/icon.svg", wantStatus: 200, wantContentType: "image/svg+xml"},
		{
			name:            "the layout",
			method:          "GET",
			path:            "/layout.html",
			wantStatus:      404,
			wantContentType: "text/plain; charset=utf-8",
		},
		{
			name:            "a directory",
			method:          "GET",
			path:            "/shared/",
			wantStatus:      404,
			wantContentType: "text/plain; charset=utf-8",
		},
		{
			name:            "a method that changes something",
			method:          "POST",
			path:            "/",
			wantStatus:      405,
			wantContentType: "text/plain; charset=utf-8",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := ask(t, s, tt.method, tt.path)
			require.Equal(t, tt.wantStatus, w.Code)
			require.Equal(t, tt.wantContentType, w.Header().Get("Content-Type"))
			require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
		})
	}
}

// The policy names the store.
func TestPolicyNamesTheStore(t *testing.T) {
	s := siteWith(map[string]string{"index.html": page})
	policy := ask(t, s, "GET", "/").Header().Get("Content-Security-Policy")
	require.Contains(t, policy, "default-src 'none'")
	require.Contains(t, policy, "connect-src 'self';")

	s.Origins = func(context.Context) []string { return []string{"https://store.example.com"} }
	policy = ask(t, s, "GET", "/").Header().Get("Content-Security-Policy")
	require.Contains(t, policy, "connect-src 'self' https://store.example.com;")
	require.Contains(t, policy, "img-src 'self' https://store.example.com;")
	require.NotContains(t, policy, "unsafe")
}

// Invalid sites fail.
func TestHandlerOfInvalidSites(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"a page without templates": {"index.html": "<p>"},
		"an invalid template":      {"index.html": "{{"},
		"an unknown kind of file":  {"notes.txt": ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Handler(siteWith(files))
			require.Error(t, err)
		})
	}
}
