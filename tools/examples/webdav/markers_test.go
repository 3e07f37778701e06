package main

import (
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
	b, plant := foldermarker.New(t)
	tree := []string{"a/b/file", "a/file", "a/empty/", "z"}
	plant(tree...)
	plant(foldermarker.Of(tree...)...)
	server := httptest.NewServer(newHandler(b))
	defer server.Close()
	c := client{t, server.URL}

	listed := func(path, depth string) (paths []string) {
		status, text := c.do("PROPFIND", path, "", "Depth", depth)
		require.Equal(t, 207, status, text)
		for _, match := range href.FindAllStringSubmatch(text, -1) {
			paths = append(paths, match[1])
		}
		return paths
	}
	require.Equal(t, []string{"/a/", "/a/b/", "/a/empty/", "/a/file"}, listed("/a", "1"))
	require.Equal(t, []string{"/", "/a/", "/a/b/", "/a/b/file", "/a/empty/", "/a/file", "/z"}, listed("/", "infinity"))

	for _, request := range [][]string{
		{"COPY", "/a", "Destination", server.URL + "/copy"},
		{"MOVE", "/a", "Destination", server.URL + "/moved"},
		{"DELETE", "/moved"},
	} {
		status, text := c.do(request[0], request[1], "", request[2:]...)
		require.Contains(t, []int{201, 204}, status, "%s: %s", request, text)
	}
	require.Equal(t, []string{"/", "/copy/", "/copy/b/", "/copy/b/file", "/copy/empty/", "/copy/file", "/z"}, listed("/", "infinity"))
}
