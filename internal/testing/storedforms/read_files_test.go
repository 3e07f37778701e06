package storedforms_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/diskcache"
	"github.com/omnibucket/storage/serve"
)

// Each reader continues what an earlier version has left in files, or in texts that a client keeps.
var fileReaders = map[string]func(t *testing.T, s stored){
	"cache-block": func(t *testing.T, s stored) {
		dir := t.TempDir()
		d := newStore("store")
		s.loadFiles(t, dir)
		put(t, d, "k", "text")
		cache, err := diskcache.Open(dir, diskcache.Config{Unpinned: true})
		require.NoError(t, err)
		defer func() {
			require.NoError(t, cache.Close())
		}()
		src := &revisedStore{Driver: d}

		text, _, err := storage.ReadAll(t.Context(), engine.New(src, driver.WithLayer(cache.Layer())), "k")
		require.NoError(t, err)
		require.Equal(t, "text", string(text))

		if !strings.HasPrefix(s["files"][0].Key, "omnibucket-blocks/") { // form 1
			require.Equal(t, 1, src.reads, "a block of the first form is not found")
			require.NotContains(t, bodies(dumpFiles(t, dir)), s["files"][0].Key, "nor does it stay")
			return
		}
		require.Zero(t, src.reads, "the cache has the block")
		require.Equal(t, s["files"], dumpFiles(t, dir))
	},
	"directory": func(t *testing.T, s stored) {
		dir := t.TempDir()
		s.loadFiles(t, dir)
		renumber(t, dir)
		b := directory(t, dir)

		text, attrs, err := storage.ReadAll(t.Context(), b, "a/k")
		require.NoError(t, err)
		require.Equal(t, "text", string(text))
		require.Equal(t, "text/x-test", attrs.ContentType)
		require.True(t, attrs.CRC32C.Known, "the file is that of the sidecar")

		upload, err := storage.ContinueUpload(t.Context(), b, s.client("token"))
		require.NoError(t, err)
		parts, err := upload.Parts(t.Context())
		require.NoError(t, err)
		require.Len(t, parts, 1)

		_, err = upload.Complete(t.Context())
		require.NoError(t, err)
		require.Equal(t, map[string]string{"a/k": "text", "large": "part one"}, contents(t, b))

		attrs, err = b.Attrs(t.Context(), "large")
		require.NoError(t, err)
		require.Equal(t, "text/x-test", attrs.ContentType)

		require.NoError(t, b.Remove(t.Context(), "a/k"))
		require.NotContains(t, slices.Collect(maps.Keys(bodies(dumpFiles(t, dir)))), "a/.omnibucket~k")
	},
	"open-upload": func(t *testing.T, s stored) {
		d := s.loadParts(t)
		upload, err := storage.ContinueUpload(t.Context(), engine.New(d), s.client("token"))
		require.NoError(t, err)
		_, err = upload.PutPart(t.Context(), 2, strings.NewReader(" more"))
		require.NoError(t, err)
		_, err = upload.Complete(t.Context())
		require.NoError(t, err)

		text, attrs, err := storage.ReadAll(t.Context(), engine.New(d), "k")
		require.NoError(t, err)
		require.Equal(t, "text more", string(text))
		require.Equal(t, map[string]string{"a": "b"}, attrs.Metadata)
		require.Equal(t, "text/plain", attrs.ContentType)
	},
	"signed-urls": func(t *testing.T, s stored) {
		buckets := signing(t)
		for _, o := range s["client"] {
			name, kind, _ := strings.Cut(o.Key, " ")
			b := buckets[name]
			switch kind {
			case "download":
				w := send(t, b, o.Body, "")
				require.Equal(t, http.StatusOK, w.Code, w.Body.String())
				require.Equal(t, "text", w.Body.String())
			case "upload":
				w := send(t, b, o.Body, "more")
				require.Less(t, w.Code, 300, w.Body.String())
				text, attrs, err := storage.ReadAll(t.Context(), b, "new")
				require.NoError(t, err)
				require.Equal(t, "more", string(text))
				require.Equal(t, "text/x-test", attrs.ContentType)
			case "form":
				w := sendForm(t, b, o.Body, "more")
				require.Less(t, w.Code, 300, w.Body.String())
				text, _, err := storage.ReadAll(t.Context(), b, "form")
				require.NoError(t, err)
				require.Equal(t, "more", string(text))
			}
		}
		time.Sleep(2 * time.Hour)
		for _, o := range s["client"] {
			name, kind, _ := strings.Cut(o.Key, " ")
			if kind == "download" {
				require.Equal(t, http.StatusForbidden, send(t, buckets[name], o.Body, "").Code,
					"it has expired")
			}
		}
	},
}

// send makes the request that a signed URL describes. The URL is given as JSON.
func send(t *testing.T, b storage.Bucket, signedURL, body string) *httptest.ResponseRecorder {
	t.Helper()
	var u storage.SignedURL
	require.NoError(t, json.Unmarshal([]byte(signedURL), &u))
	r, err := u.Request(t.Context(), strings.NewReader(body))
	require.NoError(t, err)
	return serveRequest(t, b, r)
}

// sendForm sends a file with a signed form. The form is given as JSON.
func sendForm(t *testing.T, b storage.Bucket, signedURL, body string) *httptest.ResponseRecorder {
	t.Helper()
	var form storage.SignedForm
	require.NoError(t, json.Unmarshal([]byte(signedURL), &form))
	var text bytes.Buffer
	w := multipart.NewWriter(&text)
	for name, value := range form.Fields {
		require.NoError(t, w.WriteField(name, value))
	}
	file, err := w.CreateFormFile("file", "k")
	require.NoError(t, err)
	_, err = io.WriteString(file, body)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, form.URL, &text)
	require.NoError(t, err)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return serveRequest(t, b, r)
}

// serveRequest makes a request to the handler that serves the bucket's signed URLs.
func serveRequest(t *testing.T, b storage.Bucket, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	r.RequestURI = r.URL.RequestURI()
	w := httptest.NewRecorder()
	serve.NewHandler(b).ServeHTTP(w, r)
	return w
}

// The method client returns a text that the client keeps.
func (s stored) client(key string) string {
	for _, o := range s["client"] {
		if o.Key == key {
			return o.Body
		}
	}
	return ""
}

// loadFiles writes the files of a golden file into a directory. They have the time of the bubble.
func (s stored) loadFiles(t *testing.T, dir string) {
	t.Helper()
	for _, o := range s["files"] {
		text, err := hex.DecodeString(o.Body)
		require.NoError(t, err)
		path := filepath.Join(dir, filepath.FromSlash(o.Key))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, text, 0o600))
		require.NoError(t, os.Chtimes(path, time.Now(), time.Now()))
	}
}

// The parts of an upload share a file, and "layout" and "placed-1" contain the file's inode number. A copy of the file
// has another number. renumber writes the new number into "layout" and "placed-1".
func renumber(t *testing.T, dir string) {
	t.Helper()
	layouts, err := filepath.Glob(filepath.Join(dir, ".omnibucket/uploads/*/layout"))
	require.NoError(t, err)
	require.Len(t, layouts, 1)
	layout := layouts[0]
	folder := filepath.Dir(layout)

	// A layout is the name of the file with the parts, its number, and one more number, separated by spaces.
	text, err := os.ReadFile(layout)
	require.NoError(t, err)
	partsName, rest, _ := strings.Cut(string(text), " ")
	oldText, _, _ := strings.Cut(rest, " ")
	oldNumber, err := strconv.ParseUint(oldText, 10, 64)
	require.NoError(t, err)

	info, err := os.Stat(filepath.Join(folder, partsName))
	require.NoError(t, err)
	inode := reflect.Indirect(reflect.ValueOf(info.Sys())).FieldByName("Ino")
	if !inode.IsValid() {
		t.Skip("files have no numbers here")
	}
	number := inode.Uint()

	replace := func(path, old, replacement string) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Contains(t, string(text), old)
		replaced := strings.Replace(string(text), old, replacement, 1)
		require.NoError(t, os.WriteFile(path, []byte(replaced), 0o600))
		require.NoError(t, os.Chtimes(path, time.Now(), time.Now()))
	}
	replace(layout, oldText, strconv.FormatUint(number, 10))
	replace(filepath.Join(folder, "placed-1"),
		"@"+strconv.FormatUint(oldNumber, 16)+"-",
		"@"+strconv.FormatUint(number, 16)+"-")
}
