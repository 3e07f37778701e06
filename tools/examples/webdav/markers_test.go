package main

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/foldermarker"
)

var href = regexp.MustCompile(`<D:href>(.*?)</D:href>`)

// If a bucket has the empty objects with which consoles and rclone mark folders, WebDAV shows and changes the
// folders as usual.
func TestWebDAVWithFolderMarkers(t *testing.T) {
	// Each folder has a marker, and the folder a/empty/ has nothing else.
	b, plant := foldermarker.New(t)
	tree := []string{"a/b/file", "a/file", "a/empty/", "z"}
	plant(tree...)
	plant(foldermarker.Of(tree...)...)
	server := httptest.NewServer(newHandler(b))
	defer server.Close()
	c := client{t, server.URL}

	// Listings show a folder once, with or without a marker.
	require.Equal(t, []string{"/a/", "/a/b/", "/a/empty/", "/a/file"}, c.list("/a", "1"))
	require.Equal(t, []string{"/", "/a/", "/a/b/", "/a/b/file", "/a/empty/", "/a/file", "/z"}, c.list("/", "infinity"))

	// Copies, moves and removals include the markers.
	for _, r := range []request{
		{method: "COPY", path: "/a", header: map[string]string{"Destination": server.URL + "/copy"}},
		{method: "MOVE", path: "/a", header: map[string]string{"Destination": server.URL + "/moved"}},
		{method: "DELETE", path: "/moved"},
	} {
		status, body := c.send(r)
		require.Contains(t, []int{http.StatusCreated, http.StatusNoContent}, status, "%s: %s", r.method, body)
	}
	want := []string{"/", "/copy/", "/copy/b/", "/copy/b/file", "/copy/empty/", "/copy/file", "/z"}
	require.Equal(t, want, c.list("/", "infinity"))
}

// list returns the paths of a folder and of what is in it, down to a depth.
func (c client) list(path, depth string) (paths []string) {
	c.t.Helper()
	body := c.requireStatus(http.StatusMultiStatus, request{
		method: "PROPFIND",
		path:   path,
		header: map[string]string{"Depth": depth},
	})
	for _, match := range href.FindAllStringSubmatch(body, -1) {
		paths = append(paths, match[1])
	}
	return paths
}
