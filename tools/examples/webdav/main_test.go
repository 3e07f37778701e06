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

// do sends a request and returns the status and the body of its response.
func (c client) do(method, path, body string, headers ...string) (int, string) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	require.NoError(c.t, err)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(c.t, err)
	defer func() {
		require.NoError(c.t, response.Body.Close())
	}()
	text, err := io.ReadAll(response.Body)
	require.NoError(c.t, err)
	return response.StatusCode, string(text)
}

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

			for _, row := range []struct {
				name, method, path, body string
				headers                  []string
				status                   int
				contains                 string
			}{
				{name: "a folder", method: "MKCOL", path: "/reports", status: 201},
				{name: "the folder again", method: "MKCOL", path: "/reports", status: 405},
				{name: "a file", method: "PUT", path: "/reports/may.txt", body: "in May", status: 201},
				{
					name:     "the folder has the file",
					method:   "PROPFIND",
					path:     "/reports/",
					headers:  []string{"Depth", "1"},
					status:   207,
					contains: "<D:href>/reports/may.txt</D:href>",
				},
				{
					name:     "the file's size",
					method:   "PROPFIND",
					path:     "/reports/may.txt",
					headers:  []string{"Depth", "0"},
					status:   207,
					contains: "<D:getcontentlength>6</D:getcontentlength>",
				},
				{name: "no mark of a folder", method: "GET", path: "/reports/missing", status: 404},
				{name: "a range", method: "GET", path: "/reports/may.txt", headers: []string{"Range", "bytes=3-4"}, status: 206, contains: "Ma"},
				{
					name:    "a new name",
					method:  "MOVE",
					path:    "/reports/may.txt",
					headers: []string{"Destination", server.URL + "/june.txt", "Overwrite", "F"},
					status:  201,
				},
				{name: "the old name is free", method: "GET", path: "/reports/may.txt", status: 404},
				{name: "the new name has it", method: "GET", path: "/june.txt", status: 200, contains: "in May"},
				{name: "a copy", method: "COPY", path: "/june.txt", headers: []string{"Destination", server.URL + "/july.txt"}, status: 201},
				{
					name:    "no copy over a file",
					method:  "COPY",
					path:    "/june.txt",
					headers: []string{"Destination", server.URL + "/july.txt", "Overwrite", "F"},
					status:  412,
				},
				{name: "a folder's new name", method: "MOVE", path: "/reports", headers: []string{"Destination", server.URL + "/old"}, status: 201},
				{name: "a removal", method: "DELETE", path: "/july.txt", status: 204},
				{name: "it is gone", method: "GET", path: "/july.txt", status: 404},
			} {
				status, text := c.do(row.method, row.path, row.body, row.headers...)
				require.Equal(t, row.status, status, "%s: %s", row.name, text)
				require.Contains(t, text, row.contains, row.name)
			}

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
		half := io.MultiReader(strings.NewReader("ne"), iotest.ErrReader(io.ErrUnexpectedEOF))
		w := httptest.NewRecorder()
		newHandler(b).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPut, path, half))
		require.Equal(t, http.StatusMethodNotAllowed, w.Code, path)
	}

	text, _, err := storage.ReadAll(t.Context(), b, "a.txt")
	require.NoError(t, err)
	require.Equal(t, "old", string(text))

	exists, err := b.Exists(t.Context(), "new.txt")
	require.NoError(t, err)
	require.False(t, exists)
}
