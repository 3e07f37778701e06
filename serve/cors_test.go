package serve_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

var (
	anyRead = storage.CORSRule{
		Origins:        []string{"*"},
		Methods:        []string{"GET", "HEAD"},
		ExposedHeaders: []string{"ETag", "Content-Range"},
		MaxAge:         time.Hour,
	}
	appPut = storage.CORSRule{
		Origins:        []string{"https://*.example.com", "http://localhost:3000"},
		Methods:        []string{"PUT", "POST"},
		AllowedHeaders: []string{"Content-Type", "x-omnibucket-*"},
		MaxAge:         90 * time.Second,
	}
)

// The handler answers a preflight by its CORS rules. The rule anyRead lets any origin read without extra headers. The
// rule appPut lets https://*.example.com and http://localhost:3000 write with Content-Type and x-omnibucket-* headers.
func TestPreflightFollowsRules(t *testing.T) {
	s := newSite(t)
	s.setCORS(anyRead, appPut)

	tests := []struct {
		name        string
		origin      string // of the page
		method      string // that the page wants to use
		headers     string // that the page wants to send
		wantAllowed string // origin in the response, or "" if the preflight is refused
		wantMaxAge  string // in seconds
	}{
		{
			name:        "read from any origin",
			origin:      "https://evil.example.org",
			method:      "GET",
			wantAllowed: "*",
			wantMaxAge:  "3600",
		},
		{
			name:    "read with a header",
			origin:  "https://evil.example.org",
			method:  "GET",
			headers: "x-more",
		},
		{
			name:        "upload from an origin with a wildcard",
			origin:      "https://app.example.com",
			method:      "PUT",
			headers:     "content-type, X-Omnibucket-Meta-Name",
			wantAllowed: "https://app.example.com",
			wantMaxAge:  "90",
		},
		{
			name:        "upload from an origin without a wildcard",
			origin:      "http://localhost:3000",
			method:      "POST",
			headers:     "content-type",
			wantAllowed: "http://localhost:3000",
			wantMaxAge:  "90",
		},
		{
			name:        "upload without headers",
			origin:      "http://localhost:3000",
			method:      "PUT",
			wantAllowed: "http://localhost:3000",
			wantMaxAge:  "90",
		},
		{
			name:    "upload from another origin",
			origin:  "https://evil.example.org",
			method:  "PUT",
			headers: "content-type",
		},
		{
			name:    "origin with a longer host",
			origin:  "https://app.example.com.evil.org",
			method:  "PUT",
			headers: "content-type",
		},
		{
			name:    "origin with another scheme",
			origin:  "http://app.example.com",
			method:  "PUT",
			headers: "content-type",
		},
		{
			name:    "header that no rule allows",
			origin:  "https://app.example.com",
			method:  "PUT",
			headers: "content-type, x-other",
		},
		{name: "method that no rule allows", origin: "https://app.example.com", method: "DELETE"},
		{name: "origin null", origin: "null", method: "PUT"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := []string{"Origin", tt.origin, "Access-Control-Request-Method", tt.method}
			if tt.headers != "" {
				header = append(header, "Access-Control-Request-Headers", tt.headers)
			}
			w := s.request("OPTIONS", siteBase+"/any/key", nil, header...)

			h := w.Header()
			require.Equal(t, "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
				h.Get("Vary"))
			require.Equal(t, tt.wantAllowed, h.Get("Access-Control-Allow-Origin"))
			require.Empty(t, h.Get("Access-Control-Allow-Credentials"))

			if tt.wantAllowed == "" {
				s.requireRefusal(w, 403, "AccessForbidden")
				return
			}
			require.Equal(t, 204, w.Code)
			require.Contains(t, h.Get("Access-Control-Allow-Methods"), tt.method)
			require.Equal(t, tt.headers, h.Get("Access-Control-Allow-Headers"))
			require.Equal(t, tt.wantMaxAge, h.Get("Access-Control-Max-Age"))
		})
	}

	// Without the headers of a preflight, the request is invalid.
	s.requireRefusal(s.request("OPTIONS", siteBase+"/a", nil), 400, "InvalidRequest")

	// Without rules, every preflight is refused.
	s.setCORS()
	s.requireRefusal(s.request("OPTIONS", siteBase+"/a", nil, "Origin", "https://app.example.com",
		"Access-Control-Request-Method", "GET"), 403, "AccessForbidden")
}

// The response to a refused preflight names the origin, method or header that a rule must allow.
func TestPreflightRefusedSaysWhatToAllow(t *testing.T) {
	s := newSite(t)
	s.setCORS(appPut)
	tests := []struct{ name, origin, method, headers, want string }{
		{
			name:    "an origin",
			origin:  "https://evil.example.org",
			method:  "PUT",
			headers: "x-other",
			want:    `the origin &#34;https://evil.example.org&#34;. Name it in Origins`,
		},
		{
			name:    "a method",
			origin:  "https://app.example.com",
			method:  "DELETE",
			headers: "x-other",
			want:    `the method &#34;DELETE&#34; of the origin &#34;https://app.example.com&#34;. Name it in Methods`,
		},
		{
			name:    "a header",
			origin:  "https://app.example.com",
			method:  "PUT",
			headers: "content-type, x-other",
			want:    `the header &#34;x-other&#34; of this origin and method. Name it in AllowedHeaders`,
		},
		{
			name:    "a create",
			origin:  "https://app.example.com",
			method:  "PUT",
			headers: "content-type, if-none-match",
			want:    `Name it in AllowedHeaders. A signed upload with IfAbsent sends it`,
		},
		{
			name:   "a long origin",
			origin: "https://" + strings.Repeat("a", 1000),
			method: "PUT",
			want:   strings.Repeat("a", 192) + "&#34;. Name it",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := []string{"Origin", tt.origin, "Access-Control-Request-Method", tt.method}
			if tt.headers != "" {
				header = append(header, "Access-Control-Request-Headers", tt.headers)
			}
			w := s.request("OPTIONS", siteBase+"/any/key", nil, header...)
			require.Contains(t, w.Body.String(), tt.want)
			s.requireRefusal(w, 403, "AccessForbidden")
		})
	}
}

// The response to a preflight keeps the Vary headers that a middleware has set.
func TestPreflightKeepsVary(t *testing.T) {
	s := newSite(t)
	s.setCORS(anyRead)
	r := httptest.NewRequest("OPTIONS", siteBase+"/a", nil)
	r.Header.Set("Origin", "https://app.example.com")
	r.Header.Set("Access-Control-Request-Method", "GET")
	w := httptest.NewRecorder()
	w.Header().Set("Vary", "Accept-Language")

	s.handler.ServeHTTP(w, r)

	require.Equal(t, 204, w.Code)
	want := []string{"Accept-Language", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"}
	require.Equal(t, want, w.Header().Values("Vary"))
}

// If a rule admits an origin, each response to it has a CORS header with this origin, even a
// refusal. Otherwise the browser would not let the page read the response. The rule anyRead admits
// any origin to reads, and appPut admits https://app.example.com to uploads.
func TestCORSAdmitsPagesOfRules(t *testing.T) {
	s := newSite(t)
	s.put("a", "x")

	download := func(header ...string) *httptest.ResponseRecorder {
		return s.request("GET", s.signDownload("a").URL, nil, header...)
	}
	unsignedDownload := func(header ...string) *httptest.ResponseRecorder {
		return s.request("GET", s.publicURL("a"), nil, header...)
	}
	upload := func(header ...string) *httptest.ResponseRecorder {
		return s.requestSigned(s.signUpload("b"), "x", header...)
	}
	unsignedUpload := func(header ...string) *httptest.ResponseRecorder {
		return s.request("PUT", s.publicURL("b"), nil, header...)
	}

	tests := []struct {
		name   string
		send   func(header ...string) *httptest.ResponseRecorder
		origin string
		want   string // Access-Control-Allow-Origin
	}{
		{name: "download", send: download, origin: "https://any.example.org", want: "*"},
		{name: "refused download", send: unsignedDownload, origin: "https://any.example.org", want: "*"},
		{name: "upload", send: upload, origin: "https://app.example.com", want: "https://app.example.com"},
		{name: "refused upload", send: unsignedUpload, origin: "https://app.example.com", want: "https://app.example.com"},
		{name: "upload from another origin", send: upload, origin: "https://evil.example.org", want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Without rules, a response has no CORS header.
			s.setCORS()
			header := tt.send("Origin", tt.origin).Header()
			require.Empty(t, header.Get("Access-Control-Allow-Origin"))
			require.Empty(t, header.Get("Vary"))

			// With the rules, the response names the origin that the rule admits.
			s.setCORS(anyRead, appPut)
			header = tt.send("Origin", tt.origin).Header()
			require.Equal(t, tt.want, header.Get("Access-Control-Allow-Origin"))
			require.Equal(t, "Origin", header.Get("Vary"))
		})
	}

	// A page may read the headers that the rule exposes.
	w := download("Origin", "https://any.example.org")
	require.Equal(t, "ETag, Content-Range", w.Header().Get("Access-Control-Expose-Headers"))

	// The response to a request without an origin has the header Vary, too. A cache must not use
	// this response for a page, because the page needs the CORS header.
	w = download()
	require.Equal(t, "Origin", w.Header().Get("Vary"))
}
