package console_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve/console"
)

// The API answers only requests of the page itself. It refuses requests of other sites or to other
// hosts.
func TestHandlerServesOnlyPage(t *testing.T) {
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set(name, value)
		}
	}
	host := func(name string) func(*http.Request) {
		return func(r *http.Request) {
			r.Host = name
		}
	}
	path := func(path string) func(*http.Request) {
		return func(r *http.Request) {
			r.URL.Path = path
		}
	}
	dropHeader := func(r *http.Request) {
		r.Header.Del("X-Console")
	}

	// fetch sets the headers in which a browser says which site has made the request, and for what
	// purpose.
	fetch := func(site, mode, destination string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", site)
			r.Header.Set("Sec-Fetch-Mode", mode)
			r.Header.Set("Sec-Fetch-Dest", destination)
		}
	}

	tests := []struct {
		name, method, target string
		change               func(*http.Request) // of a request that the page itself would send
		wantStatus           int
	}{
		{name: "the page", method: "GET", target: "/", change: dropHeader, wantStatus: 200},
		{name: "upload.js", method: "GET", target: "/upload.js", change: dropHeader, wantStatus: 200},
		{name: "no token", method: "GET", target: "/", change: path("/"), wantStatus: 404},
		{name: "no token, for a script", method: "GET", target: "/", change: path("/api/info"), wantStatus: 404},
		{name: "another token", method: "GET", target: "/", change: path("/secreu/"), wantStatus: 404},
		{name: "the beginning of the token", method: "GET", target: "/", change: path("/secre"), wantStatus: 404},
		{name: "the token without a slash", method: "GET", target: "/", change: path("/secret"), wantStatus: 404},
		{name: "a listing", method: "GET", target: "/api/list?bucket=photos", wantStatus: 200},
		{
			name:       "a listing without the header",
			method:     "GET",
			target:     "/api/list?bucket=photos",
			change:     dropHeader,
			wantStatus: 403,
		},
		{
			name:       "a change without the header",
			method:     "POST",
			target:     "/api/remove",
			change:     dropHeader,
			wantStatus: 403,
		},
		{
			name:       "an upload without the header",
			method:     "PUT",
			target:     "/api/upload?bucket=photos&key=x",
			change:     dropHeader,
			wantStatus: 403,
		},
		{
			name:       "a large upload without the header",
			method:     "POST",
			target:     "/uploads/photos/eA/s3/multipart",
			change:     dropHeader,
			wantStatus: 403,
		},
		{
			name:       "a part with a forged address",
			method:     "PUT",
			target:     "/uploads/photos/eA/s3/part/x/1?signature=x&expires=9999999999",
			change:     dropHeader,
			wantStatus: 404,
		},
		{
			name:       "its own origin",
			method:     "GET",
			target:     "/api/info",
			change:     set("Origin", origin),
			wantStatus: 200,
		},
		{
			name:       "the same host by TLS",
			method:     "GET",
			target:     "/api/info",
			change:     set("Origin", "https://127.0.0.1:8080"),
			wantStatus: 200,
		},
		{
			name:       "another origin",
			method:     "GET",
			target:     "/api/info",
			change:     set("Origin", "http://evil.example"),
			wantStatus: 403,
		},
		{
			name:       "another port",
			method:     "GET",
			target:     "/api/info",
			change:     set("Origin", "http://127.0.0.1:9999"),
			wantStatus: 403,
		},
		{
			name:       "the null origin of a sandbox",
			method:     "POST",
			target:     "/api/remove",
			change:     set("Origin", "null"),
			wantStatus: 403,
		},
		{
			name:       "a request of another site",
			method:     "GET",
			target:     "/api/info",
			change:     set("Sec-Fetch-Site", "cross-site"),
			wantStatus: 403,
		},
		{
			name:       "a request of another port",
			method:     "GET",
			target:     "/api/info",
			change:     set("Sec-Fetch-Site", "same-site"),
			wantStatus: 403,
		},
		{
			name:       "a picture on another site",
			method:     "GET",
			target:     "/",
			change:     fetch("cross-site", "no-cors", "image"),
			wantStatus: 403,
		},
		{
			name:       "a frame on another site",
			method:     "GET",
			target:     "/",
			change:     fetch("cross-site", "navigate", "iframe"),
			wantStatus: 403,
		},
		{
			name:       "a link on another site",
			method:     "GET",
			target:     "/",
			change:     fetch("cross-site", "navigate", "document"),
			wantStatus: 200,
		},
		{name: "localhost", method: "GET", target: "/", change: host("localhost:8080"), wantStatus: 200},
		{name: "an IPv6 address", method: "GET", target: "/", change: host("[::1]:8080"), wantStatus: 200},
		{
			name:       "a name of Config.Hosts",
			method:     "GET",
			target:     "/",
			change:     host("DevBox:8080"),
			wantStatus: 200,
		},
		{
			name:       "the name of another site, bound to this address",
			method:     "GET",
			target:     "/",
			change:     host("evil.example:8080"),
			wantStatus: 421,
		},
		{name: "no host", method: "GET", target: "/", change: host(""), wantStatus: 421},
		{name: "a file that is not there", method: "GET", target: "/console.go", wantStatus: 404},
		{
			name:       "a path out of the page",
			method:     "GET",
			target:     "/",
			change:     path("/secret/../page/index.html"),
			wantStatus: 404,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, console.Config{Token: "secret", Write: true, Hosts: []string{"devbox"}})
			w := f.send(tt.method, tt.target, []byte("{}"), tt.change)
			require.Equal(t, tt.wantStatus, w.Code, w.Body)

			// Each response, even a refusal, has the headers that protect the page.
			require.Equal(t, "DENY", w.Header().Get("X-Frame-Options"))
			require.Equal(t, "no-referrer", w.Header().Get("Referrer-Policy"))
			require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
		})
	}
}

// The Content-Security-Policy lets the page load only its own files and the objects.
func TestHandlerContentSecurityPolicy(t *testing.T) {
	f := newFixture(t, console.Config{ContentURL: "http://127.0.0.1:9001"})
	policy := f.visit("/").Header().Get("Content-Security-Policy")
	require.Contains(t, policy,
		"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; ")
	require.Contains(t, policy, "img-src 'self' http://127.0.0.1:9001;")
	require.Contains(t, policy, "frame-ancestors 'none'")
	require.Contains(t, policy, "require-trusted-types-for 'script'")
	require.NotContains(t, policy, "unsafe")
}

// Without Config.Write, the page refuses each request that would change objects.
func TestHandlerReadOnlyRefusesChanges(t *testing.T) {
	f := newFixture(t, console.Config{}, storage.WithVersioning(true))
	f.put(t, "a", "text")

	// The body has every field that one of these requests needs.
	body := []byte(`{"bucket":"photos","from":"a","to":"b","key":"a","objects":[{"key":"a"}]}`)
	changes := []struct{ method, target string }{
		{method: "POST", target: "/api/move"},
		{method: "POST", target: "/api/remove"},
		{method: "POST", target: "/api/restore"},
		{method: "PUT", target: "/api/tags"},
		{method: "PUT", target: "/api/upload?bucket=photos&key=b"},
		{method: "POST", target: "/uploads/photos/YQ/s3/multipart"}, // YQ is the key a in Base64
	}
	for _, change := range changes {
		w := f.send(change.method, change.target, body, nil)
		require.Equal(t, 403, w.Code, change)
		require.Contains(t, w.Body.String(), "this page may only read", change)
	}
	require.Equal(t, "text", f.content(t, "a"))
}

// Config.Authorize decides which requests may use the page, and responds to the others.
func TestHandlerAuthorize(t *testing.T) {
	f := newFixture(t, console.Config{Authorize: func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Cookie") == "session=1" {
			return true
		}
		http.Error(w, "sign in", http.StatusUnauthorized)
		return false
	}})
	require.Equal(t, 401, f.visit("/").Code)
	require.Equal(t, 401, f.visit("/api/list?bucket=photos").Code)
	require.Equal(t, 200, f.visit("/", func(r *http.Request) {
		r.Header.Set("Cookie", "session=1")
	}).Code)
}

// New refuses an invalid Config.
func TestHandlerRefusesConfig(t *testing.T) {
	tests := []struct {
		name   string
		config console.Config
	}{
		{name: "token with a slash", config: console.Config{Token: "a/b"}},
		{name: "token with a letter outside of ASCII", config: console.Config{Token: "é"}},
		{name: "content URL without scheme", config: console.Config{ContentURL: "127.0.0.1:9001"}},
		{name: "content URL with a path", config: console.Config{ContentURL: "http://a.example/path"}},
		{name: "content URL with a directive", config: console.Config{ContentURL: "http://a.example; script-src *"}},
		{name: "content URL with a script", config: console.Config{ContentURL: "javascript://x"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := console.New(console.One(storage.BucketInfo{Name: "photos"}, memstore.New()), tt.config)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}

	t.Run("no source", func(t *testing.T) {
		_, err := console.New(nil, console.Config{})
		require.ErrorIs(t, err, storage.InvalidArgument)
	})
}
