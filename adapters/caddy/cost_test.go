package caddy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// docs/caddy.md has these numbers.
func TestFileSystemRequests(t *testing.T) {
	s := newSite(t, "s3")
	s.put(t, "a", "content")
	s.put(t, "dir/index.html", "index")
	resp, _ := s.get(t, "/a")
	etag := resp.Header.Get("Etag")
	tests := []struct {
		name    string
		path    string
		headers []string
		status  int
		heads   int
		gets    int
		lists   int
	}{
		{name: "file", path: "/a", status: 200, heads: 2, gets: 1},
		{name: "range", path: "/a", headers: []string{"Range", "bytes=1-2"}, status: 206, heads: 2, gets: 1},
		{name: "not modified", path: "/a", headers: []string{"If-None-Match", etag}, status: 304, heads: 2},
		{name: "missing", path: "/missing", status: 404, heads: 1, lists: 1},
		{name: "index", path: "/dir/", status: 200, heads: 3, gets: 1, lists: 1},
		{name: "folder", path: "/", status: 200, heads: 2, lists: 3},
	}
	for _, tt := range tests {
		s.store.server.Reset()
		resp, _ := s.get(t, tt.path, tt.headers...)
		require.Equal(t, tt.status, resp.StatusCode, tt.name)
		counts := []int{
			s.store.server.Count("HeadObject"), s.store.server.Count("GetObject"),
			s.store.server.Count("ListObjectsV2"),
		}
		require.Equal(t, []int{tt.heads, tt.gets, tt.lists}, counts, tt.name)
	}
}

// docs/caddy.md has these numbers, too. The first ones are for the lock, the checks and the account.
func TestStorageRequests(t *testing.T) {
	store := newStore(t, "s3")
	env := append(store.env, "BUCKET="+store.address)
	port := freePort(t)
	ca := newAuthority(t, port)
	first := startCaddy(t, ca.site(port, "first"), env...)
	require.Eventually(t, func() bool { return ca.get(t, port) != "" }, time.Minute, 50*time.Millisecond)
	first.waitFor(t, "releasing lock")
	t.Logf("%d requests to obtain a certificate", len(store.server.Requests()))
	first.kill()

	store.server.Reset()
	startCaddy(t, ca.site(port, "second"), env...)
	require.Eventually(t, func() bool { return ca.get(t, port) != "" }, time.Minute, 50*time.Millisecond)
	t.Logf("%d requests to load it", len(store.server.Requests()))
	require.LessOrEqual(t, len(store.server.Requests()), 10)
}
