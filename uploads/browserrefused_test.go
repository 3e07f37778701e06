package uploads_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/uploads"
)

// Browsers do not tell why a request got no response. upload.js finds out the reason, and names the
// host to look at.
func TestScriptTellsWhyRequestHasNoResponse(t *testing.T) {
	b := startBrowser(t)
	tests := []struct {
		name     string
		store    func(s *browserSite)                      // what it does to requests
		endpoint func(t *testing.T, s *browserSite) string // "": that of the page
		want     string                                    // SITE and HOST stand for the page's origin and the other host
	}{
		{
			name:  "the store has no CORS rule for the page",
			store: withoutOrigin,
			want:  "HOST can be reached, but does not allow this request of a page from SITE: check the CORS rules of HOST.",
		},
		{
			name:  "the store does not answer",
			store: silent,
			want:  "HOST cannot be reached. Either the connection was lost, or the Content-Security-Policy of the page does not name it.",
		},
		{name: "the connection breaks in the middle", store: breaksOff, want: "The connection was lost."},
		{
			name:     "the handler has another origin, without Config.Origins",
			endpoint: startOtherSite,
			want:     "HOST can be reached, but does not allow this request of a page from SITE: check the CORS rules of HOST.",
		},
		{
			name:     "the handler does not answer",
			store:    silent,
			endpoint: func(_ *testing.T, s *browserSite) string { return s.stored + "/uploads" },
			want:     "HOST cannot be reached. Either the connection was lost, or the Content-Security-Policy of the page does not name it.",
		},
		{name: "nothing is wrong, and nothing is repeated", want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			memory := browserStores[0]
			site := newBrowserSite(t, memory, uploads.Config{})
			if tt.store != nil {
				tt.store(site)
			}

			// The error must also name the host of the endpoint. If the endpoint has the page's own
			// host, the error names the host of the store instead.
			endpoint := "/uploads"
			otherHost := site.stored
			if tt.endpoint != nil {
				endpoint = tt.endpoint(t, site)
				otherHost = strings.TrimSuffix(endpoint, "/uploads")
			}

			// The page uploads a file.
			path := filepath.Join(t.TempDir(), "a.bin")
			require.NoError(t, os.WriteFile(path, make([]byte, browserFileSize), 0o600))
			tab := b.open(t, site.url, "")
			defer tab.close()
			tab.choose(path)
			tab.evaluate(fmt.Sprintf("void window.begin('ours', { retries: 0, concurrency: 1, endpoint: %q })", endpoint))
			message, _, _ := strings.Cut(tab.result().Error, "\n")

			// The first line of the error names both hosts.
			names := strings.NewReplacer(
				"SITE", strings.TrimSuffix(site.url, "/"),
				"HOST", strings.TrimPrefix(otherHost, "http://"),
			)
			require.Equal(t, names.Replace(tt.want), message)
		})
	}
}

// withoutOrigin changes the store of a site. The store treats the page as one of an origin that no
// CORS rule names.
func withoutOrigin(s *browserSite) {
	store := s.toStore.next
	s.toStore.next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") != "" {
			r.Header.Set("Origin", "https://elsewhere.example")
		}
		store.ServeHTTP(w, r)
	})
}

// silent changes the store of a site. The store closes each connection without a response.
func silent(s *browserSite) {
	s.toStore.next = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	})
}

// breaksOff changes the store of a site. The store closes the connection after a quarter of a
// file's bytes in each PUT.
func breaksOff(s *browserSite) {
	store := s.toStore.next
	s.toStore.next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			_, _ = io.CopyN(io.Discard, r.Body, browserFileSize/4)
			panic(http.ErrAbortHandler)
		}
		store.ServeHTTP(w, r)
	})
}

// startOtherSite serves the handler at another origin, and returns the address of its uploads.
func startOtherSite(t *testing.T, s *browserSite) string {
	return serveWire(t, &wire{next: s.toServer.next}) + "/uploads"
}

// If the browser is offline, the error of upload.js says so.
func TestScriptTellsThatPageIsOffline(t *testing.T) {
	b := startBrowser(t)
	s := newBrowserSite(t, browserStores[0], uploads.Config{})
	tab := b.open(t, s.url, "")
	defer tab.close()
	tab.evaluate("void import('./upload.js').then((script) => { window.script = script; })")
	tab.wait("window.script")

	// The browser goes offline after the page has loaded the script.
	b.do(t, "offline", map[string]any{"value": true})
	defer b.do(t, "offline", map[string]any{"value": false})

	message := tab.evaluate(fmt.Sprintf("window.script.send({ url: %q }, new Blob(['a'])).catch((error) => error.message)", s.stored+"/a"))
	require.Equal(t, `"The browser is offline."`, string(message))
}
