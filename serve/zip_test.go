package serve_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A listing lists the objects of an archive.
type listing func(context.Context) iter.Seq2[storage.ListEntry, error]

// serveZip starts a server that sends the listed objects as an archive. It returns the URL of the
// server.
func serveZip(t *testing.T, b storage.Bucket, list listing, opts ...serve.Option) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serve.Zip(w, r, b, list(r.Context()), opts...)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// listAll lists all objects of a bucket.
func listAll(b storage.Bucket) listing {
	return func(ctx context.Context) iter.Seq2[storage.ListEntry, error] { return b.List(ctx) }
}

// fetchWhole sends a request. It returns the response, the whole body, and the error of reading the
// body.
func fetchWhole(t *testing.T, method, url string, header ...string) (*http.Response, []byte, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response, body, err
}

// contents returns the texts of the files in an archive by their names.
func contents(t *testing.T, archive []byte) map[string]string {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	require.NoError(t, err)
	texts := map[string]string{}
	for _, file := range r.File {
		body, err := file.Open()
		require.NoError(t, err)
		text, err := io.ReadAll(body)
		require.NoError(t, err, "the checksum is right")
		require.NoError(t, body.Close())
		texts[file.Name] = string(text)
	}
	return texts
}

// albumTexts has the texts of the objects in the album, by their keys.
var albumTexts = map[string]string{
	"a.txt":         "one",
	"empty":         "",
	"sub/é.txt":     "two",
	"sub/large.bin": strings.Repeat("x", 300_000),
}

// zipSignature is at the beginning of each ZIP archive.
const zipSignature = "PK"

// newAlbum returns a folder of a bucket as a bucket. It has the objects in albumTexts.
func newAlbum(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	b := storage.Prefixed(memstore.New(opts...), "albums/7/")
	for key, text := range albumTexts {
		_, err := b.Upload(t.Context(), key, strings.NewReader(text))
		require.NoError(t, err)
	}
	return b
}

// Zip sends an archive of all listed objects.
func TestZipHasObjects(t *testing.T) {
	b := newAlbum(t)
	url := serveZip(t, b, listAll(b), serve.WithDownloadName("Album 7.zip"))

	response, body, err := fetchWhole(t, http.MethodGet, url)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.EqualValues(t, len(body), response.ContentLength)
	require.Equal(t, "application/zip", response.Header.Get("Content-Type"))
	require.Contains(t, response.Header.Get("Content-Disposition"), `attachment; filename="Album 7.zip"`)
	require.Equal(t, "none", response.Header.Get("Accept-Ranges"))
	require.Equal(t, albumTexts, contents(t, body))

	// A HEAD request gets the length, and no body.
	head, bodyOfHead, err := fetchWhole(t, http.MethodHead, url)
	require.NoError(t, err)
	require.Equal(t, response.ContentLength, head.ContentLength)
	require.Empty(t, bodyOfHead)

	// A request for a range gets the whole archive.
	ranged, bodyOfRange, err := fetchWhole(t, http.MethodGet, url, "Range", "bytes=5-9")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, ranged.StatusCode)
	require.Equal(t, body, bodyOfRange)
}

// Python's zipfile extracts an archive of Zip.
func TestZipIsExtracted(t *testing.T) {
	b := newAlbum(t)
	_, archive, err := fetchWhole(t, http.MethodGet, serveZip(t, b, listAll(b)))
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.zip"), archive, 0o600))

	cmd := exec.CommandContext(t.Context(), testserver.Program(t, "python3"), "-m", "zipfile", "-e",
		"a.zip", "out")
	cmd.Dir = dir
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)

	text, err := os.ReadFile(filepath.Join(dir, "out", "sub", "é.txt"))
	require.NoError(t, err)
	require.Equal(t, "two", string(text))
}

// If the listing is empty or invalid, or fails, Zip responds with an error status and not with an
// archive.
func TestZipRefusesEarly(t *testing.T) {
	b := newAlbum(t)
	noObjects := func(ctx context.Context) iter.Seq2[storage.ListEntry, error] {
		return b.List(ctx, storage.WithPrefix("none/"))
	}
	withDelimiter := func(ctx context.Context) iter.Seq2[storage.ListEntry, error] {
		return b.List(ctx, storage.WithDelimiter("/"))
	}
	failing := func(context.Context) iter.Seq2[storage.ListEntry, error] {
		return func(yield func(storage.ListEntry, error) bool) {
			yield(storage.ListEntry{}, storage.Unavailable)
		}
	}

	tests := []struct {
		name       string
		list       listing
		wantStatus int
	}{
		{name: "no objects", list: noObjects, wantStatus: http.StatusNotFound},
		{name: "a delimiter", list: withDelimiter, wantStatus: http.StatusBadRequest},
		{name: "a listing that fails", list: failing, wantStatus: http.StatusServiceUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, body, err := fetchWhole(t, http.MethodGet, serveZip(t, b, tt.list))
			require.NoError(t, err)

			require.Equal(t, tt.wantStatus, response.StatusCode)
			require.NotContains(t, response.Header.Get("Content-Type"), "zip")
			require.NotContains(t, string(body), zipSignature)
		})
	}
}

// If Zip fails after it has begun the archive, the client sees that the archive is incomplete.
func TestZipFailsInMiddle(t *testing.T) {
	const key = "sub/é.txt"
	tests := []struct {
		name         string
		afterListing func(t *testing.T, b storage.Bucket, injector *faults.Injector)
	}{
		{
			name: "an object is gone",
			afterListing: func(t *testing.T, b storage.Bucket, _ *faults.Injector) {
				require.NoError(t, b.Remove(t.Context(), key))
			},
		},
		{
			name: "an object was replaced",
			afterListing: func(t *testing.T, b storage.Bucket, _ *faults.Injector) {
				_, err := b.Upload(t.Context(), key, strings.NewReader("six"))
				require.NoError(t, err)
			},
		},
		{
			name: "the store fails",
			afterListing: func(_ *testing.T, _ storage.Bucket, injector *faults.Injector) {
				injector.Set(faults.Fail(faults.Get).Nth(2))
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			injector := faults.New()
			noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
			b := newAlbum(t, driver.WithLayer(injector.Layer()), noRetry)

			// List the objects, and change them before Zip makes an archive from the listing.
			var listed []storage.ListEntry
			for entry, err := range b.List(t.Context()) {
				require.NoError(t, err)
				listed = append(listed, entry)
			}
			tt.afterListing(t, b, injector)
			url := serveZip(t, b, func(context.Context) iter.Seq2[storage.ListEntry, error] {
				return entries(listed)
			})

			// The body ends before the length that the header has promised.
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
			require.NoError(t, err)
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				// The server has closed the connection before it sent the first bytes.
				require.ErrorIs(t, err, io.EOF)
				return
			}
			defer response.Body.Close()

			body, err := io.ReadAll(response.Body)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.Less(t, int64(len(body)), response.ContentLength)
		})
	}
}

// entries returns a listing with these entries.
func entries(listed []storage.ListEntry) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		for _, entry := range listed {
			if !yield(entry, nil) {
				return
			}
		}
	}
}

// zeroObjects has objects of zeros. The key of each object says its size.
type zeroObjects struct{}

// Download returns an object of zeros. The key ends in "-" and the size of the object.
func (zeroObjects) Download(
	_ context.Context, key string, _ ...storage.DownloadOption,
) (*storage.Reader, error) {
	sizeText := key[strings.LastIndexByte(key, '-')+1:]
	var size int64
	if _, err := fmt.Sscanf(sizeText, "%d", &size); err != nil {
		return nil, err
	}
	body := io.NopCloser(io.LimitReader(zeros{}, size))
	return storage.NewReader(&storage.Attrs{Key: key, Size: size}, 0, size, body), nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A counted response keeps nothing but the length of its body.
type counted struct {
	header http.Header
	n      int64
}

func (c *counted) Header() http.Header { return c.header }
func (c *counted) WriteHeader(int)     {}
func (c *counted) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// The Content-Length of Zip is exact, even for about 65,535 files. At this number, the format
// changes to zip64.
func TestZipContentLength(t *testing.T) {
	requireExactLengths(t, []lengthCase{
		{name: "an empty file", listed: newListing(0)},
		{name: "some files", listed: newListing(1, 0, 70_000, 5)},
		{name: "65,534 files", listed: newListing(make([]int64, math.MaxUint16-1)...)},
		{name: "65,535 files", listed: newListing(make([]int64, math.MaxUint16)...)},
		{name: "70,000 files", listed: newListing(make([]int64, 70_000)...)},
	})
}

// The Content-Length of Zip is exact for an archive of about 4 GiB. At this size, the format
// changes to zip64.
func TestZipContentLengthOfLargeArchive(t *testing.T) {
	testserver.Further(t)
	requireExactLengths(t, []lengthCase{
		{name: "below 4 GiB", listed: newListing(math.MaxUint32-1, 1)},
		{name: "4 GiB", listed: newListing(math.MaxUint32, 1, 0)},
		{name: "files after 4 GiB", listed: newListing(2<<30, 2<<30, 10, math.MaxUint32+7, 1)},
	})
}

// newListing lists objects of these sizes. Every second object has a time, and all keys have letters outside of ASCII,
// because both change the length of an archive's headers.
func newListing(sizes ...int64) (listed []storage.ListEntry) {
	for i, size := range sizes {
		e := storage.ListEntry{Key: fmt.Sprintf("é%d/file-%d", i, size), Size: size}
		if i%2 == 0 {
			e.Modified = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
		}
		listed = append(listed, e)
	}
	return listed
}

// requireExactLengths requires that each archive is as long as its Content-Length says.
func requireExactLengths(t *testing.T, tests []lengthCase) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := &counted{header: http.Header{}}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			serve.Zip(w, r, zeroObjects{}, entries(tt.listed))
			require.Equal(t, fmt.Sprint(w.n), w.header.Get("Content-Length"))
		})
	}
}

// A lengthCase is a listing from which requireExactLengths makes an archive.
type lengthCase struct {
	name   string
	listed []storage.ListEntry
}

// archiveOf returns an archive of these objects.
func archiveOf(t *testing.T, b storage.Downloader, listed []storage.ListEntry) []byte {
	t.Helper()
	recorder := httptest.NewRecorder()
	serve.Zip(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), b,
		entries(listed))
	return recorder.Body.Bytes()
}

// Go's archive/zip reads an archive of more than 65,535 files. Such an archive needs zip64.
func TestZipManyFiles(t *testing.T) {
	testserver.Further(t)
	const fileCount = 70_000
	var listed []storage.ListEntry
	for i := range fileCount {
		listed = append(listed, storage.ListEntry{Key: fmt.Sprintf("%d/file-3", i), Size: 3})
	}
	require.Len(t, contents(t, archiveOf(t, zeroObjects{}, listed)), fileCount)
}

// Zip replaces names that are unsafe to extract, such as "..", and names that Windows reserves.
func TestZipNamesAreSafe(t *testing.T) {
	long := strings.Repeat("é", 200)
	tests := []struct {
		name string
		keys []string
		want []string
	}{
		{name: "plain", keys: []string{"a/b.txt"}, want: []string{"a/b.txt"}},
		{
			name: "segments of dots",
			keys: []string{"../../etc/passwd", "a/./b", "..", "a/.../c"},
			want: []string{"_/_/etc/passwd", "a/_/b", "_ (2)", "a/_/c"},
		},
		{name: "slashes", keys: []string{"/abs", "a//b", "folder/"}, want: []string{"abs", "a/b", "folder"}},
		{
			name: "reserved by Windows",
			keys: []string{
				`c:\x`, "a?b*", `"<>|`, "end. ", "nul", "NUL.txt", "com1", "com10", "aux.tar.gz",
			},
			want: []string{
				"c__x", "a_b_", "____", "end_", "_nul", "_NUL.txt", "_com1", "com10", "_aux.tar.gz",
			},
		},
		{
			name: "invisible characters",
			keys: []string{"a\u202eb", "tab\there", "\u200b"},
			want: []string{"a_b", "tab_here", "_"},
		},
		{
			name: "names that differ in case",
			keys: []string{"A.txt", "a.txt", "a.TXT"},
			want: []string{"A.txt", "a (2).txt", "a (3).TXT"},
		},
		{name: "folders that differ in case", keys: []string{"A/x", "a/y"}, want: []string{"A/x", "A/y"}},
		{
			name: "a folder named like a file",
			keys: []string{"a", "a/b", "a/c"},
			want: []string{"a", "a (2)/b", "a (2)/c"},
		},
		{name: "a file named like a folder", keys: []string{"a/b", "A"}, want: []string{"a/b", "A (2)"}},
		{
			name: "numbered name is already taken",
			keys: []string{"x", "x (2)", "X"},
			want: []string{"x", "x (2)", "X (3)"},
		},
		{name: "hidden file", keys: []string{".profile"}, want: []string{".profile"}},
		{
			name: "an accent in two encodings",
			keys: []string{"\u00fc.txt", "u\u0308.txt"},
			want: []string{"\u00fc.txt", "u\u0308 (2).txt"},
		},
		{name: "a long name", keys: []string{long}, want: []string{long[:240]}},
		{
			name: "a long name with an extension",
			keys: []string{long + ".tar.gz"},
			want: []string{long[:236] + ".gz"},
		},
		{name: "a long extension", keys: []string{"a." + long}, want: []string{"a." + long[:238]}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var listed []storage.ListEntry
			for _, key := range tt.keys {
				listed = append(listed, storage.ListEntry{Key: key})
			}
			body := archiveOf(t, emptyObjects{}, listed)
			r, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
			require.NoError(t, err, "Go finds no name insecure")
			var names []string
			for _, file := range r.File {
				names = append(names, file.Name)
			}

			require.Equal(t, tt.want, names)
		})
	}
}

// emptyObjects has an empty object under every key.
type emptyObjects struct{}

func (emptyObjects) Download(
	_ context.Context, key string, _ ...storage.DownloadOption,
) (*storage.Reader, error) {
	return storage.NewReader(&storage.Attrs{Key: key}, 0, 0, io.NopCloser(strings.NewReader(""))), nil
}
