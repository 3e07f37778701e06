package console_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve/console"
)

// The API answers only requests of the page itself, not those of other sites or hosts.
func TestHandlerServesOnlyPage(t *testing.T) {
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
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
	without := func(r *http.Request) { r.Header.Del("X-Console") }
	both := func(all ...func(*http.Request)) func(*http.Request) {
		return func(r *http.Request) {
			for _, change := range all {
				change(r)
			}
		}
	}
	for _, row := range []struct {
		name, method, target string
		change               func(*http.Request)
		status               int
	}{
		{"the page", "GET", "/", without, 200},
		{"upload.js", "GET", "/upload.js", without, 200},
		{"no token", "GET", "/", path("/"), 404},
		{"no token, for a script", "GET", "/", path("/api/info"), 404},
		{"another token", "GET", "/", path("/secreu/"), 404},
		{"the beginning of the token", "GET", "/", path("/secre"), 404},
		{"the token without a slash", "GET", "/", path("/secret"), 404},
		{"a listing", "GET", "/api/list?bucket=photos", nil, 200},
		{"a listing without the header", "GET", "/api/list?bucket=photos", without, 403},
		{"a change without the header", "POST", "/api/remove", without, 403},
		{"an upload without the header", "PUT", "/api/upload?bucket=photos&key=x", without, 403},
		{"a large upload without the header", "POST", "/uploads/photos/eA/s3/multipart", without, 403},
		{
			"a part with a forged address", "PUT", "/uploads/photos/eA/s3/part/x/1?signature=x&expires=9999999999",
			without, 404,
		},
		{"its own origin", "GET", "/api/info", set("Origin", origin), 200},
		{"the same host by TLS", "GET", "/api/info", set("Origin", "https://127.0.0.1:8080"), 200},
		{"another origin", "GET", "/api/info", set("Origin", "http://evil.example"), 403},
		{"another port", "GET", "/api/info", set("Origin", "http://127.0.0.1:9999"), 403},
		{"the null origin of a sandbox", "POST", "/api/remove", set("Origin", "null"), 403},
		{"a request of another site", "GET", "/api/info", set("Sec-Fetch-Site", "cross-site"), 403},
		{"a request of another port", "GET", "/api/info", set("Sec-Fetch-Site", "same-site"), 403},
		{
			"a picture on another site", "GET", "/",
			both(set("Sec-Fetch-Site", "cross-site"), set("Sec-Fetch-Dest", "image")), 403,
		},
		{"a frame on another site", "GET", "/", both(set("Sec-Fetch-Site", "cross-site"),
			set("Sec-Fetch-Mode", "navigate"), set("Sec-Fetch-Dest", "iframe")), 403},
		{"a link on another site", "GET", "/", both(set("Sec-Fetch-Site", "cross-site"),
			set("Sec-Fetch-Mode", "navigate"), set("Sec-Fetch-Dest", "document")), 200},
		{"localhost", "GET", "/", host("localhost:8080"), 200},
		{"an IPv6 address", "GET", "/", host("[::1]:8080"), 200},
		{"a name that it was given", "GET", "/", host("DevBox:8080"), 200},
		{"the name of another site, bound to this address", "GET", "/", host("evil.example:8080"), 421},
		{"no name", "GET", "/", host(""), 421},
		{"a file that is not there", "GET", "/console.go", nil, 404},
		{"a path out of the page", "GET", "/", path("/secret/../page/index.html"), 404},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := start(t, console.Config{Token: "secret", Write: true, Hosts: []string{"devbox"}})
			w := f.send(row.method, row.target, []byte("{}"), row.change)
			require.Equal(t, row.status, w.Code, w.Body)
			require.Equal(t, "DENY", w.Header().Get("X-Frame-Options"))
			require.Equal(t, "no-referrer", w.Header().Get("Referrer-Policy"))
			require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
		})
	}
}

// The Content-Security-Policy lets the page load only its own files and the objects.
func TestHandlerContentSecurityPolicy(t *testing.T) {
	f := start(t, console.Config{ContentURL: "http://127.0.0.1:9001"})
	policy := f.send("GET", "/", nil, nil).Header().Get("Content-Security-Policy")
	require.Contains(t, policy, "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; ")
	require.Contains(t, policy, "img-src 'self' http://127.0.0.1:9001;")
	require.Contains(t, policy, "frame-ancestors 'none'")
	require.Contains(t, policy, "require-trusted-types-for 'script'")
	require.NotContains(t, policy, "unsafe")
}

// Without Config.Write, the page refuses each change.
func TestHandlerReadOnlyRefusesChanges(t *testing.T) {
	f := start(t, console.Config{}, storage.WithVersioning(true))
	f.put(t, "a", "text")
	for _, row := range [][2]string{
		{"POST", "/api/move"}, {"POST", "/api/remove"}, {"POST", "/api/restore"}, {"PUT", "/api/tags"},
		{"PUT", "/api/upload?bucket=photos&key=b"}, {"POST", "/uploads/photos/YQ/s3/multipart"},
	} {
		w := f.send(
			row[0],
			row[1],
			[]byte(`{"bucket":"photos","from":"a","to":"b","key":"a","objects":[{"key":"a"}]}`),
			nil,
		)
		require.Equal(t, 403, w.Code, row)
		require.Contains(t, w.Body.String(), "this page may only read", row)
	}
	require.Equal(t, "text", f.read(t, "a"))
}

// Config can let the application decide who may use the page.
func TestHandlerAuthorize(t *testing.T) {
	f := start(t, console.Config{Authorize: func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Cookie") == "session=1" {
			return true
		}
		http.Error(w, "sign in", http.StatusUnauthorized)
		return false
	}})
	require.Equal(t, 401, f.send("GET", "/", nil, nil).Code)
	require.Equal(t, 401, f.send("GET", "/api/list?bucket=photos", nil, nil).Code)
	require.Equal(t, 200, f.send("GET", "/", nil, func(r *http.Request) { r.Header.Set("Cookie", "session=1") }).Code)
}

// New refuses an invalid Config.
func TestHandlerRefusesConfig(t *testing.T) {
	for _, c := range []console.Config{
		{Token: "a/b"}, {Token: "é"}, {ContentURL: "127.0.0.1:9001"}, {ContentURL: "http://a.example/path"},
		{ContentURL: "http://a.example; script-src *"}, {ContentURL: "javascript://x"},
	} {
		_, err := console.New(console.One(storage.BucketInfo{Name: "photos"}, memstore.New()), c)
		require.ErrorIs(t, err, storage.InvalidArgument, "%+v", c)
	}
	_, err := console.New(nil, console.Config{})
	require.ErrorIs(t, err, storage.InvalidArgument)
}
