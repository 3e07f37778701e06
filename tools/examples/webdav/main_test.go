package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// A client makes the requests of WebDAV.
type client struct {
	t    *testing.T
	base string
}

// A request is what a client sends.
type request struct {
	method string
	path   string
	header map[string]string
	body   string
}

// requireStatus sends a request, requires that its response has this status, and returns the body of the response.
func (c client) requireStatus(want int, r request) string {
	c.t.Helper()
	status, body := c.send(r)
	require.Equal(c.t, want, status, "%s %s: %s", r.method, r.path, body)
	return body
}

// send sends a request, and returns the status and the body of its response.
func (c client) send(r request) (status int, body string) {
	c.t.Helper()
	httpRequest, err := http.NewRequestWithContext(c.t.Context(), r.method, c.base+r.path, strings.NewReader(r.body))
	require.NoError(c.t, err)
	for name, value := range r.header {
		httpRequest.Header.Set(name, value)
	}

	response, err := http.DefaultClient.Do(httpRequest)
	require.NoError(c.t, err)
	defer func() {
		require.NoError(c.t, response.Body.Close())
	}()
	text, err := io.ReadAll(response.Body)
	require.NoError(c.t, err)
	return response.StatusCode, string(text)
}

// Clients of WebDAV make folders, and write, read, list, move, copy and remove files, which are objects of the bucket.
func TestWebDAV(t *testing.T) {
	for name, address := range map[string]string{
		"memory": "mem://webdav",
		"local":  "file://" + filepath.ToSlash(filepath.Join(t.TempDir(), "bucket")) + "?create=true&sync=false",
	} {
		t.Run(name, func(t *testing.T) {
			b, err := storage.Open(t.Context(), address)
			require.NoError(t, err)
			server := httptest.NewServer(newHandler(b))
			defer server.Close()
			c := client{t, server.URL}

			// Make a folder, which is possible only once, and write a file into it.
			c.requireStatus(http.StatusCreated, request{method: "MKCOL", path: "/reports"})
			c.requireStatus(http.StatusMethodNotAllowed, request{method: "MKCOL", path: "/reports"})
			c.requireStatus(http.StatusCreated, request{method: "PUT", path: "/reports/may.txt", body: "in May"})

			// List the folder, and get the properties of the file.
			listing := c.requireStatus(http.StatusMultiStatus, request{
				method: "PROPFIND",
				path:   "/reports/",
				header: map[string]string{"Depth": "1"},
			})
			require.Contains(t, listing, "<D:href>/reports/may.txt</D:href>")
			properties := c.requireStatus(http.StatusMultiStatus, request{
				method: "PROPFIND",
				path:   "/reports/may.txt",
				header: map[string]string{"Depth": "0"},
			})
			require.Contains(t, properties, "<D:getcontentlength>6</D:getcontentlength>")

			// Read a missing file, and a range of the file.
			c.requireStatus(http.StatusNotFound, request{method: "GET", path: "/reports/missing"})
			bytesOfFile := c.requireStatus(http.StatusPartialContent, request{
				method: "GET",
				path:   "/reports/may.txt",
				header: map[string]string{"Range": "bytes=3-4"},
			})
			require.Contains(t, bytesOfFile, "Ma")

			// Move the file.
			c.requireStatus(http.StatusCreated, request{
				method: "MOVE",
				path:   "/reports/may.txt",
				header: map[string]string{"Destination": server.URL + "/june.txt", "Overwrite": "F"},
			})
			c.requireStatus(http.StatusNotFound, request{method: "GET", path: "/reports/may.txt"})
			movedFile := c.requireStatus(http.StatusOK, request{method: "GET", path: "/june.txt"})
			require.Contains(t, movedFile, "in May")

			// Copy the file. A second copy would replace the first one, which the field Overwrite forbids.
			c.requireStatus(http.StatusCreated, request{
				method: "COPY",
				path:   "/june.txt",
				header: map[string]string{"Destination": server.URL + "/july.txt"},
			})
			c.requireStatus(http.StatusPreconditionFailed, request{
				method: "COPY",
				path:   "/june.txt",
				header: map[string]string{"Destination": server.URL + "/july.txt", "Overwrite": "F"},
			})

			// Move the folder, and remove the copy.
			c.requireStatus(http.StatusCreated, request{
				method: "MOVE",
				path:   "/reports",
				header: map[string]string{"Destination": server.URL + "/old"},
			})
			c.requireStatus(http.StatusNoContent, request{method: "DELETE", path: "/july.txt"})
			c.requireStatus(http.StatusNotFound, request{method: "GET", path: "/july.txt"})

			// The file is an object of the bucket.
			text, _, err := storage.ReadAll(t.Context(), b, "june.txt")
			require.NoError(t, err)
			require.Equal(t, "in May", string(text))
		})
	}
}

// If the body of a PUT breaks off, the old file stays, and no new file is made.
func TestPutBreaksOff(t *testing.T) {
	b, err := storage.Open(t.Context(), "mem://broken")
	require.NoError(t, err)
	_, err = b.Upload(t.Context(), "a.txt", strings.NewReader("old"))
	require.NoError(t, err)

	for _, path := range []string{"/a.txt", "/new.txt"} {
		brokenBody := io.MultiReader(strings.NewReader("ne"), iotest.ErrReader(io.ErrUnexpectedEOF))
		w := httptest.NewRecorder()
		newHandler(b).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPut, path, brokenBody))
		require.Equal(t, http.StatusMethodNotAllowed, w.Code, path)
	}

	text, _, err := storage.ReadAll(t.Context(), b, "a.txt")
	require.NoError(t, err)
	require.Equal(t, "old", string(text))

	exists, err := b.Exists(t.Context(), "new.txt")
	require.NoError(t, err)
	require.False(t, exists)
}
