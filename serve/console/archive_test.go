package console_test

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve/console"
)

// zipped downloads an archive from an address, as the page does. It returns the texts of the files
// by their names.
func (f *fixture) zipped(t *testing.T, address string) map[string]string {
	t.Helper()
	w := f.visit("/"+address, func(r *http.Request) {
		r.Header.Del("X-Console")
	})
	require.Equal(t, 200, w.Code, w.Body)
	r, err := zip.NewReader(bytes.NewReader(w.Body.Bytes()), int64(w.Body.Len()))
	require.NoError(t, err)
	files := map[string]string{}
	for _, file := range r.File {
		content, err := file.Open()
		require.NoError(t, err)
		text, err := io.ReadAll(content)
		require.NoError(t, err)
		files[file.Name] = string(text)
	}
	return files
}

// An archive has the selected objects, and the objects in the selected folders. The names in it are
// relative to the folder that the page shows.
func TestArchive(t *testing.T) {
	// The bucket has markers of folders, and files. The text of each file contains its key.
	f := newFixture(t, console.Config{Token: "secret"})
	f.putMarker(t, "2026/")
	f.putMarker(t, "2026/june/")
	for _, key := range []string{"2026/june/1.txt", "2026/june/more/2.txt", "2026/3.txt", "2026/4.txt", "5.txt"} {
		f.put(t, key, "text of "+key)
	}

	tests := []struct {
		name         string
		selection    map[string]any
		wantFilename string
		wantFiles    []string // in the archive
	}{
		{
			name: "an object and a folder",
			selection: map[string]any{
				"prefix":  "2026/",
				"objects": []string{"2026/3.txt"},
				"folders": []string{"2026/june/"},
			},
			wantFilename: "2026.zip",
			wantFiles:    []string{"3.txt", "june/1.txt", "june/more/2.txt"},
		},
		{
			name:         "a folder",
			selection:    map[string]any{"prefix": "2026/", "folders": []string{"2026/june/"}},
			wantFilename: "june.zip",
			wantFiles:    []string{"june/1.txt", "june/more/2.txt"},
		},
		{
			name:         "the folder of the page",
			selection:    map[string]any{"prefix": "2026/", "folders": []string{"2026/"}},
			wantFilename: "2026.zip",
			wantFiles:    []string{"3.txt", "4.txt", "june/1.txt", "june/more/2.txt"},
		},
		{
			name:         "the bucket",
			selection:    map[string]any{"folders": []string{""}},
			wantFilename: "photos.zip",
			wantFiles: []string{
				"2026/3.txt",
				"2026/4.txt",
				"2026/june/1.txt",
				"2026/june/more/2.txt",
				"5.txt",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, answer := f.call(t, "POST", "archive", tt.selection)
			require.Equal(t, 200, status, answer)
			require.EqualValues(t, len(tt.wantFiles), answer["objects"])

			// The archive has exactly the expected files, with their texts.
			files := f.zipped(t, answer["download"].(string))
			require.Len(t, files, len(tt.wantFiles))
			prefix, _ := tt.selection["prefix"].(string)
			for _, name := range tt.wantFiles {
				require.Equal(t, "text of "+prefix+name, files[name])
			}

			// The response to the download has the name of the archive, and is sandboxed.
			w := f.visit("/" + answer["download"].(string))
			require.Contains(t, w.Header().Get("Content-Disposition"), tt.wantFilename)
			require.Contains(t, w.Header().Get("Content-Security-Policy"), "sandbox")
		})
	}
}

// A request for an archive is refused if it selects nothing, something missing, or something outside of its folder.
func TestArchiveRefused(t *testing.T) {
	f := newFixture(t, console.Config{})
	f.put(t, "a/1", "x")
	for _, tt := range []struct {
		name      string
		selection map[string]any
		status    int
	}{
		{name: "nothing", selection: map[string]any{}, status: 404},
		{name: "an empty folder", selection: map[string]any{"folders": []string{"none/"}}, status: 404},
		{name: "a missing object", selection: map[string]any{"objects": []string{"none"}}, status: 404},
		{
			name:      "an object outside of the prefix",
			selection: map[string]any{"prefix": "b/", "objects": []string{"a/1"}},
			status:    400,
		},
		{
			name:      "a folder outside of the prefix",
			selection: map[string]any{"prefix": "b/", "folders": []string{"a/"}},
			status:    400,
		},
		{
			name:      "a prefix without a slash",
			selection: map[string]any{"prefix": "a", "objects": []string{"a/1"}},
			status:    400,
		},
		{name: "a folder without a slash", selection: map[string]any{"folders": []string{"a"}}, status: 400},
		{name: "too many objects", selection: map[string]any{"objects": make([]string, 1001)}, status: 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, answer := f.call(t, "POST", "archive", tt.selection)
			require.Equal(t, tt.status, status, answer)
		})
	}

	// Only addresses that the page has returned lead to an archive.
	t.Run("a guessed address", func(t *testing.T) {
		require.Equal(t, 404, f.visit("/archive/guessed").Code)
	})
}

// The address of an archive expires after an hour.
func TestArchiveExpires(t *testing.T) {
	now := clockAt(8)()
	f := newFixture(t, console.Config{Now: func() time.Time { return now }})
	f.put(t, "a", "x")
	_, answer := f.call(t, "POST", "archive", map[string]any{"objects": []string{"a"}})
	address := answer["download"].(string)

	now = now.Add(time.Hour)
	require.Len(t, f.zipped(t, address), 1)

	now = now.Add(time.Hour)
	require.Equal(t, 404, f.visit("/"+address).Code)
}

// A watchedCore closes the channel "ended" when the context of a download ends.
type watchedCore struct {
	storage.Core
	ended chan struct{}
}

// Download calls the core's Download, and watches the context.
func (c watchedCore) Download(
	ctx context.Context, key string, o *storage.DownloadOptions,
) (*storage.Reader, error) {
	context.AfterFunc(ctx, func() {
		close(c.ended)
	})
	return c.Core.Download(ctx, key, o)
}

// If the client of an archive disconnects, the server stops reading from the store.
func TestArchiveStopsWithClient(t *testing.T) {
	memory := memstore.New()
	_, err := memory.Upload(t.Context(), "large", bytes.NewReader(make([]byte, 16<<20)))
	require.NoError(t, err)

	// The channel "ended" is closed when the store's download of the object ends.
	ended := make(chan struct{})
	watched, err := storage.Wrap(memory, func(c storage.Core) storage.Core {
		return watchedCore{Core: c, ended: ended}
	})
	require.NoError(t, err)
	page, err := console.New(console.One(storage.BucketInfo{Name: "photos"}, watched), console.Config{})
	require.NoError(t, err)

	// The response to the page's request has the address of the archive.
	f := &fixture{page: page}
	status, answer := f.call(t, "POST", "archive", map[string]any{"objects": []string{"large"}})
	require.Equal(t, 200, status, answer)

	// Begin to read the archive, then disconnect.
	server := httptest.NewServer(page)
	defer server.Close()
	ctx, disconnect := context.WithCancel(t.Context())
	defer disconnect()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/"+answer["download"].(string), nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	_, err = io.ReadFull(resp.Body, make([]byte, 1000))
	require.NoError(t, err)
	disconnect()

	// Wait until the store's download ends.
	<-ended
}
