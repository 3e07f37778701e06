package main

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
)

// A client sends the requests of Athens' storage "external".
type client struct {
	t   *testing.T
	url string
}

// A version has the files of one version of a module. Athens sends them in this order.
type version struct {
	info, mod string
	zip       io.Reader
}

// newClient returns a client of a server over a bucket.
func newClient(t *testing.T, b storage.Bucket) client {
	t.Helper()
	server := httptest.NewServer(modules{b})
	t.Cleanup(server.Close)
	return client{t: t, url: server.URL}
}

// save stores a version. As Athens does, it ends the form also if a file cannot be read, and then breaks the request off.
func (c client) save(name string, v version) (status int, err error) {
	body, w := io.Pipe()
	form := multipart.NewWriter(w)
	go func() {
		w.CloseWithError(write(form, v))
	}()
	response, err := http.Post(c.url+"/"+name+".save", form.FormDataContentType(), body)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	return response.StatusCode, nil
}

// write writes the three files of a version into a form, and ends the form.
func write(form *multipart.Writer, v version) error {
	defer form.Close()
	files := []struct {
		name    string
		content io.Reader
	}{
		{name: "mod.info", content: strings.NewReader(v.info)},
		{name: "mod.mod", content: strings.NewReader(v.mod)},
		{name: "mod.zip", content: v.zip},
	}
	for _, file := range files {
		part, err := form.CreateFormFile(file.name, file.name)
		if err != nil {
			return err
		}
		if _, err := io.Copy(part, file.content); err != nil {
			return err
		}
	}
	return nil
}

// get returns the status and the content of a file.
func (c client) get(file string) (status int, content string) {
	c.t.Helper()
	return c.do(http.MethodGet, file)
}

// do sends a request for a file, and returns the status, and the content if the status is 200.
func (c client) do(method, file string) (status int, content string) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.url+"/"+file, nil)
	require.NoError(c.t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(c.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(c.t, err)
	if response.StatusCode != http.StatusOK {
		return response.StatusCode, ""
	}
	require.Equal(c.t, int64(len(text)), response.ContentLength)
	return response.StatusCode, string(text)
}

const (
	module        = "github.com/!azure/sdk/v2"
	firstVersion  = module + "/@v/v2.0.0+incompatible"
	secondVersion = module + "/@v/v2.1.0-rc.1"
)

// Athens saves two versions of a module, lists and reads them, and deletes one. A version that is there never changes.
func TestVersions(t *testing.T) {
	directory, err := local.Open(filepath.Join(t.TempDir(), "bucket"), local.Config{Create: true, NoSync: true})
	require.NoError(t, err)
	for name, bucket := range map[string]storage.Bucket{"memory": memstore.New(), "directory": directory} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, bucket)
			archive := strings.Repeat("zip", 1<<20)

			// The module has no version.
			status, list := c.get(module + "/@v/list")
			require.Equal(t, http.StatusOK, status)
			require.Empty(t, list)
			status, _ = c.get(firstVersion + ".info")
			require.Equal(t, http.StatusNotFound, status)

			// Save two versions, and the first one again with other files.
			for _, name := range []string{firstVersion, secondVersion} {
				status, err := c.save(name, version{info: "info of " + name, mod: "mod", zip: strings.NewReader(archive)})
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, status)
			}
			status, err := c.save(firstVersion, version{info: "other", mod: "other", zip: strings.NewReader("other")})
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, status)

			// Both are listed, and the first one has its old files.
			_, list = c.get(module + "/@v/list")
			require.Equal(t, "v2.0.0+incompatible\nv2.1.0-rc.1", list)
			_, info := c.get(firstVersion + ".info")
			require.Equal(t, "info of "+firstVersion, info, "a version never changes")
			_, mod := c.get(firstVersion + ".mod")
			require.Equal(t, "mod", mod)
			_, zip := c.get(firstVersion + ".zip")
			require.Equal(t, archive, zip)

			// The first one can be deleted once.
			status, _ = c.do(http.MethodDelete, firstVersion+".delete")
			require.Equal(t, http.StatusOK, status)
			status, _ = c.do(http.MethodDelete, firstVersion+".delete")
			require.Equal(t, http.StatusNotFound, status)
			_, list = c.get(module + "/@v/list")
			require.Equal(t, "v2.1.0-rc.1", list)
		})
	}
}

// If Athens breaks off, or the store fails at any write, no version appears.
func TestVersionAppearsWhole(t *testing.T) {
	// The connection breaks in the middle of the last file.
	broken := io.MultiReader(strings.NewReader("half of the zip"), errorReader{})
	bucket := memstore.New()
	c := newClient(t, bucket)
	_, err := c.save(firstVersion, version{info: "info", mod: "mod", zip: broken})
	require.Error(t, err)
	_, list := c.get(module + "/@v/list")
	require.Empty(t, list)

	// The store fails to write one of the files.
	for _, extension := range []string{".zip", ".mod", ".info"} {
		failing := memstore.New(storage.WithHook(
			func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
				if op.Name == "Upload" && strings.HasSuffix(op.Key, extension) {
					return ctx, nil, errors.New("the disk is full")
				}
				return ctx, nil, nil
			}))

		c := newClient(t, failing)
		status, err := c.save(firstVersion, version{info: "info", mod: "mod", zip: strings.NewReader("zip")})
		require.NoError(t, err)
		require.NotEqual(t, http.StatusOK, status, extension)
		_, list := c.get(module + "/@v/list")
		require.Empty(t, list, extension)
	}
}

// A version that was saved while it was removed lacks files. The next save stores them.
func TestVersionIsSavedWhileItIsRemoved(t *testing.T) {
	// The version is saved once more when its file .mod is removed.
	var c client
	save := func() {
		status, err := c.save(firstVersion, version{info: "info", mod: "mod", zip: strings.NewReader("zip")})
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
	}
	saveOnce := sync.OnceFunc(save)
	bucket := memstore.New(storage.WithHook(
		func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
			if op.Name == "Remove" && strings.HasSuffix(op.Key, ".mod") {
				saveOnce()
			}
			return ctx, nil, nil
		}))
	c = newClient(t, bucket)
	save()

	// The removal and the save leave a version without its file .zip.
	status, _ := c.do(http.MethodDelete, firstVersion+".delete")
	require.Equal(t, http.StatusOK, status)
	status, _ = c.get(firstVersion + ".zip")
	require.Equal(t, http.StatusNotFound, status)

	// The next save stores all files.
	save()
	for extension, want := range map[string]string{".info": "info", ".mod": "mod", ".zip": "zip"} {
		_, content := c.get(firstVersion + extension)
		require.Equal(t, want, content, extension)
	}
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

// A path that is no module, and a form that lacks a file, store nothing.
func TestWrongRequests(t *testing.T) {
	bucket := memstore.New()
	c := newClient(t, bucket)

	// These paths cannot be read.
	for _, path := range []string{"x", "x/@v/", "x/@v/v1.txt", "@v/list", "x/@v/a%2f..%2f..%2fb.info"} {
		status, _ := c.get(path)
		require.Contains(t, []int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusBadRequest}, status, path)
	}

	// These versions cannot be saved.
	for _, name := range []string{"x/../y/@v/v1.0.0", "x//y/@v/v1.0.0", "/@v/v1.0.0"} {
		status, err := c.save(name, version{info: "info", mod: "mod", zip: strings.NewReader("zip")})
		require.NoError(t, err)
		require.NotEqual(t, http.StatusOK, status, name)
	}

	// A form without files is refused.
	emptyForm := strings.NewReader("--b--\r\n")
	response, err := http.Post(c.url+"/"+firstVersion+".save", "multipart/form-data; boundary=b", emptyForm)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusBadRequest, response.StatusCode)

	for entry, err := range bucket.List(t.Context()) {
		require.NoError(t, err)
		require.Fail(t, "an object was stored", entry.Key)
	}
}
