//go:build omnibucket_sdks

package cookbook

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

func newBucket(t *testing.T, objects map[string]string) storage.Bucket {
	t.Helper()
	bucket := memstore.New(storage.WithVersioning(true))
	for key, content := range objects {
		_, err := bucket.Upload(t.Context(), key, strings.NewReader(content))
		require.NoError(t, err)
	}
	return bucket
}

func content(t *testing.T, bucket storage.Downloader, key string) string {
	t.Helper()
	text, _, err := storage.ReadAll(t.Context(), bucket, key)
	require.NoError(t, err)
	return string(text)
}

// listPhotos responds with the first 50 photos and the token of the next page, and refuses an invalid token.
func TestPagesOverHTTP(t *testing.T) {
	photos := map[string]string{}
	for i := range 78 {
		photos[fmt.Sprint("photos/", i)] = ""
	}
	bucket := newBucket(t, photos)
	get := func(token string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		listPhotos(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?token="+token, nil), bucket)
		return w
	}

	first := get("")
	require.Equal(t, 50, strings.Count(first.Body.String(), "photos/"))
	require.Contains(t, first.Body.String(), `"token":"`)
	require.Contains(t, first.Body.String(), `"size":`)
	require.Equal(t, http.StatusBadRequest, get("nonsense").Code)
}

// sendAlbum responds with a ZIP archive of the objects below a prefix, or with 404 if there are none.
func TestZip(t *testing.T) {
	bucket := newBucket(t, map[string]string{
		"albums/7/a.txt": "first", "albums/7/b.txt": "second", "albums/8/c": "third",
	})
	send := func(prefix string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		sendAlbum(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), bucket, prefix)
		return w
	}

	w := send("albums/7/")
	archive, err := zip.NewReader(bytes.NewReader(w.Body.Bytes()), int64(w.Body.Len()))
	require.NoError(t, err)
	require.Len(t, archive.File, 2)
	require.Equal(t, http.StatusNotFound, send("albums/9/").Code)
}

// servePhoto serves ranges of an object.
func TestServing(t *testing.T) {
	bucket := newBucket(t, map[string]string{"photos/1": "0123456789"})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /photos/{id}", func(w http.ResponseWriter, r *http.Request) {
		servePhoto(w, r, bucket)
	})
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/photos/1", nil)
	r.Header.Set("Range", "bytes=2-4")

	mux.ServeHTTP(w, r)
	require.Equal(t, "234", w.Body.String())
}

// redirectToReport redirects a client to a signed URL of the report.
func TestRedirectToASignedURL(t *testing.T) {
	bucket := memstore.New(storage.WithSigningBaseURL("https://files.example.com"))
	w := httptest.NewRecorder()
	redirectToReport(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), bucket)
	require.Equal(t, http.StatusSeeOther, w.Code)
	require.Contains(t, w.Header().Get("Location"), "https://files.example.com/")
}

// A client replaces a photo only if it sends the ETag of the current one. Only one of two clients succeeds.
func TestPutPhotoByETag(t *testing.T) {
	bucket := newBucket(t, map[string]string{"photos/1": "old"})

	// The server has one address of each photo, for GET and PUT.
	mux := http.NewServeMux()
	mux.HandleFunc("GET /photos/{id}", func(w http.ResponseWriter, r *http.Request) {
		servePhoto(w, r, bucket)
	})
	mux.HandleFunc("PUT /photos/{id}", func(w http.ResponseWriter, r *http.Request) {
		attrs, err := putPhoto(r, bucket, "photos/"+r.PathValue("id"))
		switch storage.CodeOf(err) {
		case "":
			w.Header().Set("ETag", attrs.ETag)
		case storage.PreconditionFailed:
			w.WriteHeader(http.StatusPreconditionFailed)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, strings.NewReader(""))
		r.Header.Set("If-Match", "*")
		mux.ServeHTTP(w, r)
		return w
	}
	put := func(path, ifMatch, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, path, strings.NewReader(body))
		r.Header.Set("If-Match", ifMatch)
		mux.ServeHTTP(w, r)
		return w
	}

	// Two clients have the same ETag. The first one succeeds.
	oldETag := get("/photos/1").Header().Get("ETag")
	first := put("/photos/1", oldETag, "first")
	require.Equal(t, http.StatusOK, first.Code)
	require.Equal(t, http.StatusPreconditionFailed, put("/photos/1", oldETag, "second").Code)

	// The ETag of the new photo is good for the next replacement.
	newETag := first.Header().Get("ETag")
	require.Equal(t, http.StatusOK, put("/photos/1", newETag, "third").Code)

	// A photo that is missing and a request without an ETag are refused.
	require.Equal(t, http.StatusNotFound, put("/photos/none", oldETag, "refused").Code)
	require.Equal(t, http.StatusPreconditionFailed, put("/photos/1", "", "refused").Code)
	require.Equal(t, "third", get("/photos/1").Body.String())
}

// Calls of nextNumber at the same time get different numbers.
func TestNextNumber(t *testing.T) {
	bucket := newBucket(t, nil)
	var numbers sync.Map
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() {
			number, err := nextNumber(t.Context(), bucket, "number")
			_, isRepeated := numbers.LoadOrStore(number, true)
			if err != nil || isRepeated {
				t.Error(number, err)
			}
		})
	}
	calls.Wait()
	require.Equal(t, "20", content(t, bucket, "number"))
}

// setSetting sets one member of a JSON object, and leaves the others.
func TestSettings(t *testing.T) {
	bucket := newBucket(t, map[string]string{"settings.json": `{"theme":"dark"}`})
	require.NoError(t, setSetting(t.Context(), bucket, "size", 3))
	require.JSONEq(t, `{"theme":"dark","size":3}`, content(t, bucket, "settings.json"))
}

// writeCompressed stores what a function writes, compressed by gzip.
func TestCompressed(t *testing.T) {
	bucket := newBucket(t, nil)
	require.NoError(t, writeCompressed(t.Context(), bucket, "a.gz", func(w io.Writer) error {
		_, err := io.WriteString(w, "text")
		return err
	}))
	uncompressed, err := gzip.NewReader(strings.NewReader(content(t, bucket, "a.gz")))
	require.NoError(t, err)
	text, err := io.ReadAll(uncompressed)
	require.NoError(t, err)
	require.Equal(t, "text", string(text))
}

// If the function fails, writeCompressed stores nothing.
func TestCompressedFails(t *testing.T) {
	bucket := newBucket(t, nil)
	broken := errors.New("broken")
	require.ErrorIs(t, writeCompressed(t.Context(), bucket, "b.gz", func(io.Writer) error { return broken }), broken)
	exists, err := bucket.Exists(t.Context(), "b.gz")
	require.NoError(t, err)
	require.False(t, exists)
}

// eachLine calls a function for each line of an object.
func TestReading(t *testing.T) {
	bucket := newBucket(t, map[string]string{"log": "one\ntwo\nthree"})
	var lines []string
	require.NoError(t, eachLine(t.Context(), bucket, "log", func(line string) error {
		lines = append(lines, line)
		return nil
	}))
	require.Equal(t, []string{"one", "two", "three"}, lines)
}

// storeByContent stores a file under a key that depends on its content, so that a second call finds it.
func TestFiles(t *testing.T) {
	bucket := newBucket(t, nil)
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("content"), 0o600))
	for range 2 {
		key, err := storeByContent(t.Context(), bucket, path)
		require.NoError(t, err)
		require.Equal(t, "content", content(t, bucket, key))
	}
}

// uploadBackup reports how many bytes it has sent.
func TestUploadBackupReportsProgress(t *testing.T) {
	bucket := newBucket(t, nil)
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("content"), 0o600))
	var transferred int64
	require.NoError(t, uploadBackup(t.Context(), bucket, path, func(done, _ int64) {
		transferred = done
	}))
	require.EqualValues(t, len("content"), transferred)
}

// bytesBelow adds up the sizes of the objects of each customer, and of no other objects.
func TestBytesOfCustomers(t *testing.T) {
	bucket := newBucket(t, map[string]string{
		"customers/a/1": "12", "customers/a/2": "3", "customers/b/1": "4",
		"templates/mail.html": "Dear {{.}}",
	})
	sizes, err := bytesBelow(t.Context(), bucket)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"a": 3, "b": 1}, sizes)
}

// render executes a template that is an object.
func TestRender(t *testing.T) {
	bucket := newBucket(t, map[string]string{"templates/mail.html": "Dear {{.}}"})
	var mail strings.Builder
	require.NoError(t, render(t.Context(), &mail, bucket, "mail.html", "Ada"))
	require.Equal(t, "Dear Ada", mail.String())
}

// restorePrevious brings back the version of an object before the current one.
func TestKeeping(t *testing.T) {
	bucket := newBucket(t, map[string]string{"customers/a/1": "old"})
	_, err := bucket.Upload(t.Context(), "customers/a/1", strings.NewReader("changed"))
	require.NoError(t, err)

	require.NoError(t, restorePrevious(t.Context(), bucket, "customers/a/1"))
	require.Equal(t, "old", content(t, bucket, "customers/a/1"))
	require.ErrorIs(t, restorePrevious(t.Context(), bucket, "missing"), storage.ObjectNotFound)
}

// removeOlder removes the objects with a prefix that were stored before a time. It does not count old versions.
func TestRemoveOlder(t *testing.T) {
	bucket := newBucket(t, map[string]string{
		"customers/a/1": "12", "customers/a/2": "3", "customers/b/1": "4",
		"templates/mail.html": "Dear {{.}}",
	})
	_, err := bucket.Upload(t.Context(), "customers/a/1", strings.NewReader("changed"))
	require.NoError(t, err)

	removals, err := removeOlder(t.Context(), bucket, "customers/", time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, 3, removals)
}

// A program opens buckets with encryption, with a configuration of the AWS SDK, or with clients of the providers' SDKs.
// Opening sends no request, so that this test needs no server.
func TestOpening(t *testing.T) {
	cfg := aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("key", "secret", "")}

	t.Run("encryption", func(t *testing.T) {
		bucket, err := openEncrypted(t.Context())
		require.NoError(t, err)
		require.NoError(t, storage.Close(bucket))
	})

	t.Run("configuration of the AWS SDK", func(t *testing.T) {
		bucket, err := openWithRole(t.Context(), cfg)
		require.NoError(t, err)
		_, ok := clientBelow(bucket)
		require.True(t, ok, "the bucket has a client of the SDK")
	})

	t.Run("client of the AWS SDK for a local server", func(t *testing.T) {
		require.Equal(t, "http://127.0.0.1:9000", *localClient().Options().BaseEndpoint)
	})

	t.Run("clients and credentials of three providers", func(t *testing.T) {
		awsClient := awss3.NewFromConfig(cfg)
		googleToken := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "token"})
		azureClient, err := service.NewClientWithNoCredential("https://example.blob.core.windows.net/", nil)
		require.NoError(t, err)
		buckets, err := openExisting(t.Context(), awsClient, googleToken, azureClient)
		require.NoError(t, err)
		require.Len(t, buckets, 3)
	})
}

// openLogged opens a bucket whose calls are logged.
func TestWatching(t *testing.T) {
	var text bytes.Buffer
	bucket, err := openLogged(t.Context(), "mem://cookbook", slog.New(slog.NewTextHandler(&text, nil)), time.Now)
	require.NoError(t, err)
	_, err = bucket.Attrs(t.Context(), "missing")
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.Contains(t, text.String(), "key=missing")
}

// openReadOnly opens a bucket that refuses changes.
func TestOpenReadOnly(t *testing.T) {
	reader, err := openReadOnly(t.Context(), "mem://cookbook")
	require.NoError(t, err)
	_, err = storage.Copy(t.Context(), reader.(storage.Uploader), "a", reader, "b")
	require.ErrorIs(t, err, storage.PermissionDenied)
}

// A video is uploaded in parts, by several processes that know only a token.
func TestParts(t *testing.T) {
	bucket := memstore.New(storage.WithSigningBaseURL("https://files.example.com"))
	token, err := beginVideo(t.Context(), bucket)
	require.NoError(t, err)
	require.NoError(t, putPart(t.Context(), bucket, token, 1, strings.NewReader("frames")))
	attrs, err := completeVideo(t.Context(), bucket, token)
	require.NoError(t, err)
	require.Equal(t, "video/mp4", attrs.ContentType)
}

// signPart signs a URL for a part, and endUploads aborts only uploads that are old.
func TestSignedParts(t *testing.T) {
	bucket := memstore.New(storage.WithSigningBaseURL("https://files.example.com"))
	_, signedURL, err := signPart(t.Context(), bucket, "other.mp4")
	require.NoError(t, err)
	require.NotEmpty(t, signedURL.URL)
	aborted, err := endUploads(t.Context(), bucket)
	require.NoError(t, err)
	require.Zero(t, aborted, "the upload has just begun")
}

// Calls of addTo at the same time lose no entry.
func TestAddTo(t *testing.T) {
	bucket := newBucket(t, nil)
	const writers = 8
	var errs [writers]error
	var calls sync.WaitGroup
	for i := range writers {
		calls.Go(func() {
			errs[i] = addTo(t.Context(), bucket, "log", "entry")
		})
	}
	calls.Wait()
	require.NoError(t, errors.Join(errs[:]...))

	require.Equal(t, strings.Repeat("entry\n", writers), content(t, bucket, "log"))
}
