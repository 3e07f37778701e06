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
		name       string
		path       string
		header     []string // a name and a value
		wantStatus int

		// These are numbers of requests to the store.
		wantHeads int
		wantGets  int
		wantLists int
	}{
		{name: "file", path: "/a", wantStatus: http.StatusOK, wantHeads: 2, wantGets: 1},
		{
			name:       "range",
			path:       "/a",
			header:     []string{"Range", "bytes=1-2"},
			wantStatus: http.StatusPartialContent,
			wantHeads:  2,
			wantGets:   1,
		},
		{
			name:       "not modified",
			path:       "/a",
			header:     []string{"If-None-Match", etag},
			wantStatus: http.StatusNotModified,
			wantHeads:  2,
		},
		{name: "missing", path: "/missing", wantStatus: http.StatusNotFound, wantHeads: 1, wantLists: 1},
		{name: "index", path: "/dir/", wantStatus: http.StatusOK, wantHeads: 3, wantGets: 1, wantLists: 1},
		{name: "folder", path: "/", wantStatus: http.StatusOK, wantHeads: 2, wantLists: 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := s.store.server
			store.Reset()

			resp, _ := s.get(t, tt.path, tt.header...)
			require.Equal(t, tt.wantStatus, resp.StatusCode)
			require.Equal(t, tt.wantHeads, store.Count("HeadObject"))
			require.Equal(t, tt.wantGets, store.Count("GetObject"))
			require.Equal(t, tt.wantLists, store.Count("ListObjectsV2"))
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
