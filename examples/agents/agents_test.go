package agents

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/serve"
)

func put(t *testing.T, bucket storage.Uploader, keys ...string) {
	t.Helper()
	for _, key := range keys {
		_, err := bucket.Upload(t.Context(), key, strings.NewReader("text of "+key))
		require.NoError(t, err)
	}
}

func readText(t *testing.T, bucket storage.Downloader, key string) string {
	t.Helper()
	text, _, err := storage.ReadAll(t.Context(), bucket, key)
	require.NoError(t, err)
	return string(text)
}

// runOnEveryStore runs a test on an empty bucket in memory, in a directory, and of an S3 server.
func runOnEveryStore(t *testing.T, test func(t *testing.T, bucket storage.Bucket)) {
	t.Run("memory", func(t *testing.T) {
		test(t, openServed(t, func(base string) (storage.Bucket, error) {
			return memstore.New(storage.WithSigningBaseURL(base)), nil
		}))
	})
	t.Run("a directory", func(t *testing.T) {
		dir := t.TempDir()
		test(t, openServed(t, func(base string) (storage.Bucket, error) {
			return local.Open(dir, local.Config{}, storage.WithSigningBaseURL(base))
		}))
	})
	t.Run("S3", func(t *testing.T) {
		test(t, openS3(t))
	})
}

// openServed returns a bucket whose signed URLs a server serves until the test ends. They begin with base.
func openServed(t *testing.T, open func(base string) (storage.Bucket, error)) storage.Bucket {
	server, err := serve.NewServer(open)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	return server.Bucket
}

// openS3 returns a bucket of an S3 server, which runs until the test ends.
func openS3(t *testing.T) storage.Bucket {
	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"photos"}})
	for _, variable := range server.Env() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	bucket, err := storage.Open(t.Context(), server.Address("photos"))
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, storage.Close(bucket))
	})
	return bucket
}

// withBucket opens a bucket in memory, and one in a directory that it creates.
func TestOpen(t *testing.T) {
	for name, address := range map[string]string{
		"memory":      "mem://agents",
		"a directory": "file:///" + strings.TrimPrefix(filepath.ToSlash(t.TempDir()), "/") + "/new?create=true",
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, withBucket(t.Context(), address, func(bucket storage.Bucket) error {
				put(t, bucket, "a")
				return nil
			}))
		})
	}
}

// openWithKeys opens a bucket of a server of S3. Without a profile of the server, the bucket supports no conditions.
func TestOpenWithKeys(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"photos"}})
	bucket, err := openWithKeys(t.Context(), server.URL, s3server.DefaultAccessKeyID, s3server.DefaultSecretKey)
	require.NoError(t, err)
	put(t, bucket, "a")

	_, err = create(t.Context(), bucket, "b", "text")
	require.ErrorIs(t, err, storage.Unsupported)
	require.NoError(t, storage.Close(bucket))
}

// upload stores a stream of unknown length with its content type and metadata.
func TestUpload(t *testing.T) {
	runOnEveryStore(t, func(t *testing.T, bucket storage.Bucket) {
		_, err := upload(t.Context(), bucket, "a.csv", io.MultiReader(strings.NewReader("1,"), strings.NewReader("2")))
		require.NoError(t, err)
		attrs, err := bucket.Attrs(t.Context(), "a.csv")
		require.NoError(t, err)
		require.Equal(t, "text/csv", attrs.ContentType)
		require.Equal(t, "Zoë's list", storage.DecodeMetadataValue(attrs.Metadata["source"]))
	})
}

// uploadJSON stores a value as JSON. If the value cannot be encoded, it stores nothing.
func TestUploadJSON(t *testing.T) {
	runOnEveryStore(t, func(t *testing.T, bucket storage.Bucket) {
		require.NoError(t, uploadJSON(t.Context(), bucket, "a.json", 42))
		require.Equal(t, "42\n", readText(t, bucket, "a.json"))

		notJSON := func() {}
		require.Error(t, uploadJSON(t.Context(), bucket, "b.json", notJSON))
		exists, err := bucket.Exists(t.Context(), "b.json")
		require.NoError(t, err)
		require.False(t, exists)
	})
}

// create stores a new object. replace replaces an object only if it has the given revision.
func TestConditions(t *testing.T) {
	runOnEveryStore(t, func(t *testing.T, bucket storage.Bucket) {
		created, err := create(t.Context(), bucket, "a", "one")
		require.NoError(t, err)
		require.True(t, created)
		created, err = create(t.Context(), bucket, "a", "one")
		require.NoError(t, err)
		require.False(t, created, "the object exists")

		attrs, err := bucket.Attrs(t.Context(), "a")
		require.NoError(t, err)
		next, err := replace(t.Context(), bucket, "a", "two", attrs.Revision)
		require.NoError(t, err)
		require.NotEqual(t, attrs.Revision, next)

		// Now the object has another revision.
		_, err = replace(t.Context(), bucket, "a", "three", attrs.Revision)
		require.ErrorIs(t, err, storage.PreconditionFailed)
	})
}

// count increments the number in an object, which it creates if necessary.
func TestCount(t *testing.T) {
	runOnEveryStore(t, func(t *testing.T, bucket storage.Bucket) {
		require.NoError(t, count(t.Context(), bucket, "n"))
		require.NoError(t, count(t.Context(), bucket, "n"))
		require.Equal(t, "2", readText(t, bucket, "n"))
	})
}

// stream writes the content of an object to a writer.
func TestStream(t *testing.T) {
	runOnEveryStore(t, func(t *testing.T, bucket storage.Bucket) {
		put(t, bucket, "photos/a")
		var buf bytes.Buffer
		require.NoError(t, stream(t.Context(), bucket, "photos/a", &buf))
		require.Equal(t, "text of photos/a", buf.String())
		require.ErrorIs(t, stream(t.Context(), bucket, "missing", &buf), storage.ObjectNotFound)
	})
}

// head reads the first 1000 bytes of an object.
func TestHead(t *testing.T) {
	runOnEveryStore(t, func(t *testing.T, bucket storage.Bucket) {
		content := strings.Repeat("0123456789", 200)
		_, err := bucket.Upload(t.Context(), "long", strings.NewReader(content))
		require.NoError(t, err)

		start, attrs, err := head(t.Context(), bucket, "long")
		require.NoError(t, err)
		require.Equal(t, content[:1000], string(start))
		require.EqualValues(t, len(content), attrs.Size)
	})
}

// DownloadFile stores the content of an object in a file.
func TestDownload(t *testing.T) {
	runOnEveryStore(t, func(t *testing.T, bucket storage.Bucket) {
		put(t, bucket, "photos/a")
		path := filepath.Join(t.TempDir(), "a")
		_, err := storage.DownloadFile(t.Context(), bucket, "photos/a", path)
		require.NoError(t, err)
		file, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, "text of photos/a", string(file))
	})
}

// handle serves objects over HTTP, also by ranges.
func TestHandle(t *testing.T) {
	runOnEveryStore(t, func(t *testing.T, bucket storage.Bucket) {
		put(t, bucket, "photos/a")
		mux := http.NewServeMux()
		mux.HandleFunc("GET /photos/{name}", handle(bucket))

		// Each request asks for a range.
		statuses := map[string]int{"/photos/a": http.StatusPartialContent, "/photos/missing": http.StatusNotFound}
		for path, want := range statuses {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
			r.Header.Set("Range", "bytes=0-3")
			mux.ServeHTTP(w, r)
			require.Equal(t, want, w.Code)
		}
	})
}

// list returns the files and folders in photos/, and page returns two entries of a listing and the token of the next
// page.
func TestList(t *testing.T) {
	runOnEveryStore(t, func(t *testing.T, bucket storage.Bucket) {
		put(t, bucket, "photos/2026/b.jpg", "photos/2026/c.jpg", "photos/a.jpg", "other")
		files, folders, err := list(t.Context(), bucket)
		require.NoError(t, err)
		require.Equal(t, []string{"photos/a.jpg"}, files)
		require.Equal(t, []string{"photos/2026/"}, folders)

		// The first page has two of the three photos.
		first, err := page(t.Context(), bucket, "")
		require.NoError(t, err)
		require.Len(t, first.Entries, 2)
		last, err := page(t.Context(), bucket, first.Token)
		require.NoError(t, err)
		require.Equal(t, "photos/a.jpg", last.Entries[0].Key)
		require.Empty(t, last.Token)
	})
}

// removeUnchanged fails if the object is missing, and Remove does not.
func TestRemove(t *testing.T) {
	runOnEveryStore(t, func(t *testing.T, bucket storage.Bucket) {
		put(t, bucket, "a")
		require.NoError(t, removeUnchanged(t.Context(), bucket, "a"))
		exists, err := bucket.Exists(t.Context(), "a")
		require.NoError(t, err)
		require.False(t, exists)

		require.ErrorIs(t, removeUnchanged(t.Context(), bucket, "a"), storage.ObjectNotFound)
		require.NoError(t, bucket.Remove(t.Context(), "a"))
	})
}

// clean removes objects by their keys and by a prefix, and counts a missing key as removed.
func TestClean(t *testing.T) {
	runOnEveryStore(t, func(t *testing.T, bucket storage.Bucket) {
		put(t, bucket, "other", "a", "b", "temp/c", "temp/d")
		removals, err := clean(t.Context(), bucket, []string{"a", "b", "missing"}, "temp/")
		require.NoError(t, err)
		require.Equal(t, 5, removals)

		var keys []string
		for entry, err := range bucket.List(t.Context()) {
			require.NoError(t, err)
			keys = append(keys, entry.Key)
		}
		require.Equal(t, []string{"other"}, keys)
	})
}

// sign returns two URLs. A client without credentials uploads by the first one, and downloads by the second one.
func TestSignedRequests(t *testing.T) {
	runOnEveryStore(t, func(t *testing.T, bucket storage.Bucket) {
		upload, download, err := sign(t.Context(), bucket, "photos/a.png")
		require.NoError(t, err)

		response := send(t, upload, strings.NewReader("PNG"))
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode)

		response = send(t, download, nil)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, "PNG", string(body))
		require.Equal(t, "image/png", response.Header.Get("Content-Type"))
		require.Contains(t, response.Header.Get("Content-Disposition"), "Photo.png")
	})
}

// send makes a signed request as a client does.
func send(t *testing.T, signedURL *storage.SignedURL, body io.Reader) *http.Response {
	t.Helper()
	request, err := signedURL.Request(t.Context(), body)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	return response
}

// archive copies a.txt to the bucket, and moves b.txt within its source. sync copies what the bucket lacks.
func TestTransfers(t *testing.T) {
	runOnEveryStore(t, func(t *testing.T, bucket storage.Bucket) {
		src := memstore.New()
		put(t, src, "a.txt", "b.txt")
		require.NoError(t, archive(t.Context(), bucket, src))
		require.Equal(t, "text of a.txt", readText(t, bucket, "copies/a.txt"))
		require.Equal(t, "text of b.txt", readText(t, src, "old/b.txt"))

		for range 2 { // the second sync has nothing to do
			require.NoError(t, sync(t.Context(), bucket, src))
		}
		require.Equal(t, "text of b.txt", readText(t, bucket, "old/b.txt"))
	})
}
