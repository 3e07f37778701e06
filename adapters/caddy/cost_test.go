package caddy

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A request to file_server takes as many requests to the store as docs/caddy.md says.
func TestFileSystemRequests(t *testing.T) {
	s := newSite(t, "s3")
	s.put(t, "a", "content")
	s.put(t, "dir/index.html", "index")

	resp, _ := s.get(t, "/a")
	etag := resp.Header.Get("Etag")

	tests := []struct {
		name   string
		path   string
		header []string // a name and a value
		status int
		heads  int
		gets   int
		lists  int
	}{
		{name: "file", path: "/a", status: http.StatusOK, heads: 2, gets: 1},
		{
			name:   "range",
			path:   "/a",
			header: []string{"Range", "bytes=1-2"},
			status: http.StatusPartialContent,
			heads:  2,
			gets:   1,
		},
		{
			name:   "not modified",
			path:   "/a",
			header: []string{"If-None-Match", etag},
			status: http.StatusNotModified,
			heads:  2,
		},
		{name: "missing", path: "/missing", status: http.StatusNotFound, heads: 1, lists: 1},
		{name: "index", path: "/dir/", status: http.StatusOK, heads: 3, gets: 1, lists: 1},
		{name: "folder", path: "/", status: http.StatusOK, heads: 2, lists: 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := s.store.server
			store.Reset()

			resp, _ := s.get(t, tt.path, tt.header...)
			require.Equal(t, tt.status, resp.StatusCode)
			require.Equal(t, tt.heads, store.Count("HeadObject"))
			require.Equal(t, tt.gets, store.Count("GetObject"))
			require.Equal(t, tt.lists, store.Count("ListObjectsV2"))
		})
	}
}

// An instance that finds its certificate in the bucket needs at most 10 requests to load it. The test also logs how
// many requests it takes to obtain one, which docs/caddy.md tells.
func TestStorageRequests(t *testing.T) {
	store := newStore(t, "s3")
	env := append(store.env, "BUCKET="+store.address)
	port := freePort(t)
	ca := newAuthority(t, port)
	hasCertificate := func() bool { return ca.get(t, port) != "" }

	// The first instance obtains the certificate.
	first := startCaddy(t, ca.site(port, "first"), env...)
	require.Eventually(t, hasCertificate, time.Minute, 50*time.Millisecond)
	first.waitFor(t, "releasing lock")
	t.Logf("%d requests to obtain a certificate", len(store.server.Requests()))
	first.kill()

	// The second instance loads it from the bucket.
	store.server.Reset()
	startCaddy(t, ca.site(port, "second"), env...)
	require.Eventually(t, hasCertificate, time.Minute, 50*time.Millisecond)
	t.Logf("%d requests to load it", len(store.server.Requests()))
	require.LessOrEqual(t, len(store.server.Requests()), 10)
}
