package tus

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/internal/testing/minioserver"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/storagetest/faults"
)

// stores are a bucket of each kind, with a part size that its store takes.
var stores = []struct {
	name string
	part int64
	open func(t *testing.T) storage.Bucket
}{
	{name: "memory", part: 1 << 10, open: func(*testing.T) storage.Bucket { return memstore.New() }},
	{name: "local", part: 1 << 10, open: func(t *testing.T) storage.Bucket {
		b, err := local.Open(filepath.Join(t.TempDir(), "bucket"), local.Config{Create: true, NoSync: true})
		require.NoError(t, err)
		return b
	}},
	{name: "minio", part: 5 << 20, open: func(t *testing.T) storage.Bucket {
		b, err := s3.Open(t.Context(), minioserver.NewBucket(t))
		require.NoError(t, err)
		return b
	}},
}

// A server is tusd over a bucket.
type server struct {
	t      *testing.T
	bucket storage.Bucket
	url    string
	part   int64
}

// serve starts a server of tusd's handler over a bucket, with parts of part bytes.
func serve(t *testing.T, bucket storage.Bucket, part int64) server {
	t.Helper()
	store, err := New(bucket, Config{})
	require.NoError(t, err)
	store.basePart = part

	composer := handler.NewStoreComposer()
	store.UseIn(composer)
	h, err := handler.NewHandler(handler.Config{BasePath: "/files/", StoreComposer: composer})
	require.NoError(t, err)

	httpServer := httptest.NewServer(http.StripPrefix("/files/", h))
	t.Cleanup(httpServer.Close)
	return server{t, bucket, httpServer.URL + "/files/", part}
}

// do sends a request of tus, and returns its response.
func (s server) do(method, url string, body io.Reader, want int, headers ...string) *http.Response {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, url, body)
	require.NoError(s.t, err)
	request.Header.Set("Tus-Resumable", "1.0.0")
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/offset+octet-stream")
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}

	response, err := http.DefaultClient.Do(request)
	require.NoError(s.t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	require.NoError(s.t, response.Body.Close())

	response.Body = io.NopCloser(bytes.NewReader(text))
	require.Equal(s.t, want, response.StatusCode, "%s", text)
	return response
}

// create creates an upload with these headers, and returns its URL.
func (s server) create(headers ...string) (url string) {
	s.t.Helper()
	return s.do(http.MethodPost, s.url, nil, http.StatusCreated, headers...).Header.Get("Location")
}

// offset returns the offset of an upload.
func (s server) offset(url string) int {
	s.t.Helper()
	offset, err := strconv.Atoi(s.do(http.MethodHead, url, nil, http.StatusOK).Header.Get("Upload-Offset"))
	require.NoError(s.t, err)
	return offset
}

// send sends content to the upload at url, in chunks of chunk bytes.
func (s server) send(url string, content []byte, chunk int, headers ...string) {
	s.t.Helper()
	for i := 0; i < len(content); i += chunk {
		piece := content[i:min(i+chunk, len(content))]
		s.do(http.MethodPatch, url, bytes.NewReader(piece), http.StatusNoContent,
			append([]string{"Upload-Offset", strconv.Itoa(i)}, headers...)...)
	}
}

// content returns the content of the object that the upload with this URL has stored.
func (s server) content(url string) []byte {
	s.t.Helper()
	text, _, err := storage.ReadAll(s.t.Context(), s.bucket, url[strings.LastIndex(url, "/")+1:])
	require.NoError(s.t, err)
	return text
}

// keys returns the keys of the bucket.
func (s server) keys() (keys []string) {
	s.t.Helper()
	for entry, err := range s.bucket.List(s.t.Context()) {
		require.NoError(s.t, err)
		keys = append(keys, entry.Key)
	}
	return keys
}

// requireNoOpenUploads requires that no multipart upload is open in the bucket.
func requireNoOpenUploads(t *testing.T, bucket storage.Bucket) {
	t.Helper()
	for open, err := range storage.ListUploads(t.Context(), bucket) {
		require.NoError(t, err)
		require.Fail(t, "an upload is open", open.Key)
	}
}

// random returns so many random bytes.
func random(size int64) []byte {
	content := make([]byte, size)
	_, _ = rand.Read(content)
	return content
}

// Clients upload files of any size, in chunks of any size, and download and remove them.
func TestUploads(t *testing.T) {
	for _, store := range stores {
		t.Run(store.name, func(t *testing.T) {
			srv := serve(t, store.open(t), store.part)

			// The sizes and the chunks are near the size of a part.
			odd := 2*store.part + 7
			tests := []struct {
				name        string
				size, chunk int64
			}{
				{name: "empty", size: 0, chunk: 1},
				{name: "small", size: 100, chunk: 100},
				{name: "small, in chunks", size: 100, chunk: 33},
				{name: "one part", size: store.part, chunk: store.part},
				{name: "parts in one chunk", size: odd, chunk: odd},
				{name: "parts in odd chunks", size: odd, chunk: store.part*3/4 + 1},
				{name: "whole parts", size: 2 * store.part, chunk: store.part},
			}
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					srv.t = t // its helpers then fail this subtest
					content := random(tt.size)
					url := srv.create("Upload-Length", strconv.Itoa(len(content)), "Upload-Metadata",
						"filetype "+base64.StdEncoding.EncodeToString([]byte("image/png")))

					// After the upload, the object has the bytes.
					srv.send(url, content, int(tt.chunk))
					require.Equal(t, len(content), srv.offset(url))
					require.True(t, bytes.Equal(content, srv.content(url)))

					// A client can download and remove them.
					got, err := io.ReadAll(srv.do(http.MethodGet, url, nil, http.StatusOK).Body)
					require.NoError(t, err)
					require.True(t, bytes.Equal(content, got))

					srv.do(http.MethodDelete, url, nil, http.StatusNoContent)
					srv.do(http.MethodHead, url, nil, http.StatusNotFound)
					require.Empty(t, srv.keys())
				})
			}
		})
	}
}

// A client can declare the length of an upload after its creation.
func TestDeclareLength(t *testing.T) {
	// On MinIO, the larger upload would have more than 40 MiB.
	localStores := stores[:2]
	for _, store := range localStores {
		t.Run(store.name, func(t *testing.T) {
			srv := serve(t, store.open(t), store.part)

			// If the length is unknown, a part has deferredParts times its usual size. One upload is smaller than that, and
			// the other is larger.
			for _, size := range []int64{10, deferredParts*store.part + 10} {
				content := random(size)
				url := srv.create("Upload-Defer-Length", "1")
				srv.send(url, content, int(size))

				// A last request without a body declares the length, and the object is made.
				srv.do(http.MethodPatch, url, nil, http.StatusNoContent, "Upload-Offset",
					strconv.Itoa(len(content)), "Upload-Length", strconv.Itoa(len(content)))
				require.True(t, bytes.Equal(content, srv.content(url)))
			}
		})
	}
}

// A final upload joins partial uploads.
func TestConcatUploads(t *testing.T) {
	for _, store := range stores {
		t.Run(store.name, func(t *testing.T) {
			srv := serve(t, store.open(t), store.part)

			// One partial upload is larger than a part of a multipart upload, and the other is smaller.
			var want []byte
			var urls []string
			for _, size := range []int64{store.part + 3, 5} {
				content := random(size)
				url := srv.create("Upload-Length", strconv.Itoa(len(content)), "Upload-Concat", "partial")
				srv.send(url, content, len(content))
				want = append(want, content...)
				urls = append(urls, url)
			}

			// The final upload has the content of both.
			url := srv.create("Upload-Concat", "final;"+strings.Join(urls, " "))
			require.True(t, bytes.Equal(want, srv.content(url)))
		})
	}
}

// If reading the body fails, WriteChunk keeps the bytes before the error, and another server continues after them.
func TestWriteChunkBodyFails(t *testing.T) {
	const (
		size = 100
		read = "twenty-three characters" // what the body gives before it fails
	)
	rest := strings.Repeat("x", size-len(read))
	store, err := New(memstore.New(), Config{})
	require.NoError(t, err)
	store.basePart = 10
	u, err := store.NewUpload(t.Context(), handler.FileInfo{Size: size})
	require.NoError(t, err)
	info, err := u.GetInfo(t.Context())
	require.NoError(t, err)

	// The body fails within the third part.
	body := io.MultiReader(strings.NewReader(read), iotest.ErrReader(io.ErrUnexpectedEOF))
	n, err := u.WriteChunk(t.Context(), 0, body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.EqualValues(t, len(read), n)
	_, err = u.GetReader(t.Context())
	require.ErrorIs(t, err, ErrIncomplete)

	// Another server has the offset after the last byte that was read.
	reopened, err := store.GetUpload(t.Context(), info.ID) // as another server would
	require.NoError(t, err)
	info, err = reopened.GetInfo(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(len(read)), info.Offset)

	// The reopened upload continues at this offset, and is completed.
	_, err = reopened.WriteChunk(t.Context(), info.Offset-1, strings.NewReader("x"))
	require.ErrorIs(t, err, handler.ErrMismatchOffset)
	_, err = reopened.WriteChunk(t.Context(), info.Offset, strings.NewReader(rest))
	require.NoError(t, err)
	require.NoError(t, reopened.FinishUpload(t.Context()))
	require.NoError(t, reopened.FinishUpload(t.Context()), "again")

	_, err = u.WriteChunk(t.Context(), info.Offset, strings.NewReader("y"))
	require.Error(t, err, "a server that has lost its lock stores nothing")

	text, _, err := storage.ReadAll(t.Context(), store.bucket, info.ID)
	require.NoError(t, err)
	require.Equal(t, read+rest, string(text))
}

// A server that has lost its lock and continues with an older state does not harm the bytes that another server has
// acknowledged.
func TestWriteChunkWithoutItsLock(t *testing.T) {
	for _, tt := range stores {
		t.Run(tt.name, func(t *testing.T) {
			store, err := New(tt.open(t), Config{})
			require.NoError(t, err)
			store.basePart = tt.part

			// The content is one full part and one that is shorter.
			content := random(2*tt.part - 1)
			write := func(u handler.Upload, start, end int64) error {
				_, err := u.WriteChunk(t.Context(), start, bytes.NewReader(content[start:end]))
				return err
			}
			// loadUpload returns the upload as a server sees it that reads its state now.
			loadUpload := func() handler.Upload {
				u, err := store.GetUpload(t.Context(), "a")
				require.NoError(t, err)
				return u
			}

			// The first server begins the upload. It never reads the state again, so it soon has an older one.
			first, err := store.NewUpload(t.Context(), handler.FileInfo{ID: "a", Size: int64(len(content))})
			require.NoError(t, err)
			require.NoError(t, write(first, 0, 100))
			stored := int64(100)

			// Other servers hold the lock, one after the other. Each of them writes up to the next
			// of these offsets, which lie in the first part and in the second.
			for _, end := range []int64{300, tt.part, tt.part + 50, tt.part + 200} {
				holder := loadUpload()
				info, err := holder.GetInfo(t.Context())
				require.NoError(t, err)
				require.Equal(t, stored, info.Offset)
				outdated := loadUpload() // When the holder has written, this state is older.

				// The holder of the lock writes. The servers with an older state are refused.
				require.NoError(t, write(holder, stored, end))
				require.ErrorIs(t, write(outdated, stored, stored+10), handler.ErrFileLocked)
				require.ErrorIs(t, write(first, 100, 150), handler.ErrFileLocked)
				stored = end
			}

			// The last holder completes the upload.
			last := loadUpload()
			require.NoError(t, write(last, stored, int64(len(content))))
			require.NoError(t, last.FinishUpload(t.Context()))

			// The object has all bytes, and no tail is left.
			text, _, err := storage.ReadAll(t.Context(), store.bucket, "a")
			require.NoError(t, err)
			require.True(t, bytes.Equal(content, text))
			require.Error(t, write(first, 100, 150), "after the end")
			exists, err := store.bucket.Exists(t.Context(), "a.part")
			require.NoError(t, err)
			require.False(t, exists)
		})
	}
}

// If a server dies after it stored the last part and before it made the object, the client's request for the offset
// makes the object.
func TestGetInfoFinishesAnUpload(t *testing.T) {
	for _, tt := range stores {
		t.Run(tt.name, func(t *testing.T) {
			// The upload is made directly in store, and srv of the same bucket gets the request for the offset.
			// Both use parts of tt.part bytes.
			srv := serve(t, tt.open(t), tt.part)
			store, err := New(srv.bucket, Config{})
			require.NoError(t, err)
			store.basePart = tt.part

			sizes := map[string]int64{
				"whole-parts":       2 * tt.part,
				"smaller-last-part": tt.part + 7,
			}
			for id, size := range sizes {
				// WriteChunk stores all parts. Nothing calls FinishUpload, as if the server died.
				content := random(size)
				u, err := store.NewUpload(t.Context(), handler.FileInfo{ID: id, Size: size})
				require.NoError(t, err)
				_, err = u.WriteChunk(t.Context(), 0, bytes.NewReader(content))
				require.NoError(t, err)
				exists, err := srv.bucket.Exists(t.Context(), id)
				require.NoError(t, err)
				require.False(t, exists)

				// The request for the offset makes the object.
				require.Equal(t, int(size), srv.offset(srv.url+id))
				require.True(t, bytes.Equal(content, srv.content(srv.url+id)))
			}
		})
	}
}

// While the object cannot be made, HEAD fails instead of reporting the full length, and the client can still delete the
// upload.
func TestGetInfoFinishFails(t *testing.T) {
	const partSize = 4
	injector := faults.New()
	srv := serve(t, memstore.New(driver.WithLayer(injector.Layer())), partSize)
	content := random(10)

	// Both subtests begin with an upload that has all bytes and no object.
	createUnfinished := func() (url string) {
		url = srv.create("Upload-Length", strconv.Itoa(len(content)))
		injector.Set(faults.Fail(faults.CompleteParts).WithError(storage.PermissionDenied))
		body := bytes.NewReader(content)
		srv.do(http.MethodPatch, url, body, http.StatusInternalServerError, "Upload-Offset", "0")
		return url
	}

	t.Run("HEAD", func(t *testing.T) {
		srv.t = t
		url := createUnfinished()
		srv.do(http.MethodHead, url, nil, http.StatusInternalServerError)

		injector.Set() // the store works again
		require.Equal(t, len(content), srv.offset(url))
		require.True(t, bytes.Equal(content, srv.content(url)))
	})
	t.Run("DELETE", func(t *testing.T) {
		srv.t = t
		url := createUnfinished()
		srv.do(http.MethodDelete, url, nil, http.StatusNoContent)
		srv.do(http.MethodHead, url, nil, http.StatusNotFound)
	})
}

// If the store fails after the object was made, so that the state does not name it, Terminate removes the object.
func TestTerminateRemovesAnObjectThatTheStateDoesNotName(t *testing.T) {
	tests := map[string]struct {
		info       handler.FileInfo                           // A hook may have set its ID or Key.
		sentBytes  int64                                      // before the store fails
		makeObject func(t *testing.T, u handler.Upload) error // while the store fails
	}{
		"several parts, at the key of a hook": {
			info:       handler.FileInfo{ID: "a", Size: 10, Storage: map[string]string{"Key": "other/a"}},
			sentBytes:  10,
			makeObject: finish,
		},
		"several parts, without an ID":    {info: handler.FileInfo{Size: 10}, sentBytes: 10, makeObject: finish},
		"less than a part, without an ID": {info: handler.FileInfo{Size: 3}, sentBytes: 0, makeObject: writeThree},
		"less than a part, at the key of a hook": {
			info:       handler.FileInfo{ID: "a", Size: 3, Storage: map[string]string{"Key": "other/a"}},
			sentBytes:  0,
			makeObject: writeThree,
		},
		"less than a part, with the ID of a hook": {
			info:       handler.FileInfo{ID: "a", Size: 3},
			sentBytes:  0,
			makeObject: writeThree,
		},
		"joined from another upload, at the key of a hook": {
			info: handler.FileInfo{
				ID:      "a",
				IsFinal: true,
				Storage: map[string]string{"Key": "other/a"},
			},
			sentBytes: 0,
			makeObject: func(t *testing.T, u handler.Upload) error {
				piece, err := u.(*upload).store.NewUpload(t.Context(), handler.FileInfo{Size: 3})
				require.NoError(t, err)
				require.NoError(t, writeThree(t, piece))
				failure := u.(*upload).ConcatUploads(t.Context(), []handler.Upload{piece})
				require.NoError(t, piece.(*upload).Terminate(t.Context()))
				return failure
			},
		},
		"empty, at the key of a hook": {
			info:       handler.FileInfo{ID: "a", Storage: map[string]string{"Key": "other/a"}},
			sentBytes:  0,
			makeObject: finish,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			injector := faults.New()
			b := memstore.New(driver.WithLayer(injector.Layer()))
			store, err := New(b, Config{})
			require.NoError(t, err)
			store.basePart = 4
			u, err := store.NewUpload(t.Context(), tt.info)
			require.NoError(t, err)
			_, err = u.WriteChunk(t.Context(), 0, bytes.NewReader(random(tt.sentBytes)))
			require.NoError(t, err)

			// The state cannot be saved, but the object is made.
			id := u.(*upload).id
			injector.Set(faults.Fail(faults.Put).ForKey(id + ".info").WithError(storage.PermissionDenied))
			require.ErrorIs(t, tt.makeObject(t, u), storage.PermissionDenied)
			injector.Set()
			exists, err := b.Exists(t.Context(), u.(*upload).key())
			require.NoError(t, err)
			require.True(t, exists)

			// Terminate removes the object.
			reopened, err := store.GetUpload(t.Context(), id) // as another server would
			require.NoError(t, err)
			require.NoError(t, reopened.(*upload).Terminate(t.Context()))
			require.Empty(t, server{t: t, bucket: b}.keys())
		})
	}
}

// finish finishes an upload.
func finish(t *testing.T, u handler.Upload) error { return u.FinishUpload(t.Context()) }

func writeThree(t *testing.T, u handler.Upload) error {
	_, err := u.WriteChunk(t.Context(), 0, bytes.NewReader(random(3)))
	return err
}

// If the object was made but its state could not be saved, and somebody has replaced the object, Terminate keeps
// the new object.
func TestTerminateKeepsAnObjectThatWasReplaced(t *testing.T) {
	injector := faults.New()
	b := memstore.New(driver.WithLayer(injector.Layer()))
	store, err := New(b, Config{})
	require.NoError(t, err)
	u, err := store.NewUpload(t.Context(), handler.FileInfo{ID: "a", Size: 3})
	require.NoError(t, err)

	// The state of the upload is in the object "a.info", which cannot be stored.
	injector.Set(faults.Fail(faults.Put).ForKey("a.info").WithError(storage.PermissionDenied))
	require.ErrorIs(t, writeThree(t, u), storage.PermissionDenied)
	injector.Set()

	// Somebody replaces the object.
	_, err = b.Upload(t.Context(), "a", strings.NewReader("text"))
	require.NoError(t, err)

	reopened, err := store.GetUpload(t.Context(), "a") // as another server would
	require.NoError(t, err)
	require.NoError(t, reopened.(*upload).Terminate(t.Context()))
	require.Equal(t, []string{"a"}, server{t: t, bucket: b}.keys())
}

// The object has the metadata and the content type of Config.Options, whether or not its key is random.
func TestObjectKeepsTheMetadataOfItsOptions(t *testing.T) {
	bucket := memstore.New()
	store, err := New(bucket, Config{Options: func(handler.FileInfo) []storage.WriteOption {
		return []storage.WriteOption{
			storage.WithMetadata(map[string]string{"owner": "alice"}),
			storage.WithContentType("text/plain"),
		}
	}})
	require.NoError(t, err)
	for _, id := range []string{"a", ""} {
		u, err := store.NewUpload(t.Context(), handler.FileInfo{ID: id, Size: 3})
		require.NoError(t, err)
		require.NoError(t, writeThree(t, u))

		attrs, err := bucket.Attrs(t.Context(), u.(*upload).key())
		require.NoError(t, err)
		require.Equal(t, "alice", attrs.Metadata["owner"])
		require.Equal(t, "text/plain", attrs.ContentType)
	}
}

// Terminate keeps an object that already existed at the key a hook chose, unless the upload has replaced it.
func TestTerminateKeepsAnObjectOfSomebodyElse(t *testing.T) {
	tests := map[string]struct {
		info      handler.FileInfo // A hook has set its ID or Key to "kept".
		partSize  int64
		sentBytes int64 // before the upload is terminated
	}{
		"the hook set the ID, which becomes the key": {
			info:      handler.FileInfo{ID: "kept", Size: 10},
			partSize:  basePart,
			sentBytes: 5,
		},
		"the hook set the key": {
			info:      handler.FileInfo{Size: 10, Storage: map[string]string{"Key": "kept"}},
			partSize:  basePart,
			sentBytes: 5,
		},
		"a multipart upload has some of its bytes": {
			info:      handler.FileInfo{ID: "a", Size: 10, Storage: map[string]string{"Key": "kept"}},
			partSize:  4,
			sentBytes: 5,
		},
		"a multipart upload has all of its bytes": {
			info:      handler.FileInfo{ID: "a", Size: 10, Storage: map[string]string{"Key": "kept"}},
			partSize:  4,
			sentBytes: 10,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			// Somebody else has stored an object under the key.
			b := memstore.New()
			store, err := New(b, Config{})
			require.NoError(t, err)
			store.basePart = tt.partSize
			_, err = b.Upload(t.Context(), "kept", strings.NewReader("text"))
			require.NoError(t, err)

			// Send some bytes, and terminate the upload.
			u, err := store.NewUpload(t.Context(), tt.info)
			require.NoError(t, err)
			_, err = u.WriteChunk(t.Context(), 0, bytes.NewReader(random(tt.sentBytes)))
			require.NoError(t, err)
			require.NoError(t, u.(*upload).Terminate(t.Context()))

			// Only the object of somebody else is left, unchanged.
			require.Equal(t, []string{"kept"}, server{t: t, bucket: b}.keys())
			text, _, err := storage.ReadAll(t.Context(), b, "kept")
			require.NoError(t, err)
			require.Equal(t, "text", string(text))
		})
	}
}

// If somebody removes the object that holds the last bytes of an unfinished upload, the next WriteChunk stores
// these bytes again.
func TestTailThatIsGoneIsStoredAgain(t *testing.T) {
	store, err := New(memstore.New(), Config{})
	require.NoError(t, err)
	store.basePart = 4
	u, err := store.NewUpload(t.Context(), handler.FileInfo{ID: "a", Size: 10})
	require.NoError(t, err)
	write := func(offset int64, text string) {
		_, err := u.WriteChunk(t.Context(), offset, strings.NewReader(text))
		require.NoError(t, err)
	}

	// The object "a.part" holds the last bytes. Somebody removes it.
	write(0, "01")
	write(2, "23")
	require.NoError(t, store.bucket.Remove(t.Context(), "a.part"))

	// The next write stores the removed bytes again.
	write(4, "45")
	write(6, "6789")
	require.NoError(t, u.FinishUpload(t.Context()))

	text, _, err := storage.ReadAll(t.Context(), store.bucket, "a")
	require.NoError(t, err)
	require.Equal(t, "0123456789", string(text))
}

// An upload continues correctly after a server died between storing the last bytes in the tail object and saving the
// state.
func TestTailWithoutAStateIsReplaced(t *testing.T) {
	store, err := New(memstore.New(), Config{})
	require.NoError(t, err)
	u, err := store.NewUpload(t.Context(), handler.FileInfo{ID: "a", Size: 10})
	require.NoError(t, err)

	// The object "a.part" has two bytes of the first part, but no state says so.
	metadata := storage.WithMetadata(map[string]string{"part": "1"})
	_, err = store.bucket.Upload(t.Context(), "a.part", strings.NewReader("01"), metadata)
	require.NoError(t, err)

	// So the client sends these bytes again, and then the rest.
	_, err = u.WriteChunk(t.Context(), 0, strings.NewReader("012345"))
	require.NoError(t, err)
	_, err = u.WriteChunk(t.Context(), 6, strings.NewReader("6789"))
	require.NoError(t, err)

	text, _, err := storage.ReadAll(t.Context(), store.bucket, "a")
	require.NoError(t, err)
	require.Equal(t, "0123456789", string(text))
}

// The upload is stored under the key that a hook of tusd names, with the options of Config.Options.
func TestKeys(t *testing.T) {
	bucket := memstore.New()
	store, err := New(bucket, Config{Options: func(handler.FileInfo) []storage.WriteOption {
		return []storage.WriteOption{storage.WithCacheControl("max-age=7")}
	}})
	require.NoError(t, err)

	// The hook names a key that differs from the ID.
	info := handler.FileInfo{ID: "folder/one", Size: 4, Storage: map[string]string{"Key": "other/two"}}
	u, err := store.NewUpload(t.Context(), info)
	require.NoError(t, err)

	// Another upload with the same ID is refused.
	_, err = store.NewUpload(t.Context(), info)
	require.ErrorIs(t, err, ErrExists)

	// The object has the key of the hook.
	_, err = u.WriteChunk(t.Context(), 0, strings.NewReader("text"))
	require.NoError(t, err)
	attrs, err := bucket.Attrs(t.Context(), "other/two")
	require.NoError(t, err)
	require.Equal(t, "max-age=7", attrs.CacheControl)

	// Other IDs do not name an upload.
	for _, id := range []string{"folder/none", "a//b", "", "folder/one.info"} {
		_, err = store.GetUpload(t.Context(), id)
		require.ErrorIs(t, err, handler.ErrNotFound, "%q", id)
	}
}

// If an ID is invalid or unknown, GetUpload and Lock return the error for a missing upload, so that tusd responds with
// status 404.
func TestGetUploadInvalidID(t *testing.T) {
	srv := serve(t, memstore.New(), 1<<10)
	for name, path := range map[string]string{
		"backslash":         "a%5Cb",
		"empty segment":     "a//b",
		"dot":               "a/./b",
		"control character": "%00",
		"invalid UTF-8":     "%FF",
		"too long":          strings.Repeat("x", 2000),
		"too long for info": strings.Repeat("x", 1020), // with ".info", it has more than 1,024 bytes
		"too many segments": strings.Repeat("x/", 254) + "x",
		"nobody's":          "none",
	} {
		t.Run(name, func(t *testing.T) {
			// A failed requirement must end this subtest, and not the whole test.
			srv := srv
			srv.t = t
			srv.do(http.MethodHead, srv.url+path, nil, http.StatusNotFound)
			srv.do(http.MethodGet, srv.url+path, nil, http.StatusNotFound)
			srv.do(http.MethodPatch, srv.url+path, nil, http.StatusNotFound, "Upload-Offset", "0")
			srv.do(http.MethodDelete, srv.url+path, nil, http.StatusNotFound)
			require.Empty(t, srv.keys())
		})
	}
}

// If the store refuses every request, as with a wrong region, a client gets status 500 and not 404, even though the
// upload cannot be found.
func TestGetUploadStoreRefuses(t *testing.T) {
	const partSize = 1 << 10
	tests := []struct {
		name  string
		calls faults.Calls // that the store refuses
		hint  string       // of the store's error
	}{
		{name: "the lock", calls: faults.Put},
		{name: "the lock, with a hint", calls: faults.Put, hint: "set region=eu-central-1"},
		{name: "the state", calls: faults.Get},
		{name: "the state, with a hint", calls: faults.Get, hint: "set region=eu-central-1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			injector := faults.New()
			srv := serve(t, memstore.New(driver.WithLayer(injector.Layer())), partSize)
			url := srv.create("Upload-Length", "4")

			// From now on, all calls of one kind are refused.
			injector.Set(faults.Fail(tt.calls).WithError(&storage.Error{
				Code:   storage.InvalidArgument,
				Status: http.StatusBadRequest,
				Hint:   tt.hint,
			}))
			srv.do(http.MethodHead, url, nil, http.StatusInternalServerError)
		})
	}
}

// If the store refuses an ID as a key, the response is 404.
func TestGetUploadStoreRefusesID(t *testing.T) {
	for name, key := range map[string]string{"the lock": "odd.lock", "the state": "odd.info"} {
		t.Run(name, func(t *testing.T) {
			injector := faults.New(faults.Fail(faults.Put | faults.Get).ForKey(key).WithError(&storage.Error{
				Code: storage.InvalidArgument,
				Hint: "use another key",
			}))
			srv := serve(t, memstore.New(driver.WithLayer(injector.Layer())), 1<<10)
			srv.do(http.MethodHead, srv.url+"odd", nil, http.StatusNotFound)
			require.Empty(t, srv.keys())
		})
	}
}

// If another object has the key of an upload's lock, the response is 500, not "not found".
func TestLockReplacedByAnObject(t *testing.T) {
	srv := serve(t, memstore.New(), 1<<10)
	url := srv.create("Upload-Length", "4")
	id := url[strings.LastIndex(url, "/")+1:]
	_, err := srv.bucket.Upload(t.Context(), id+".lock", strings.NewReader("text"))
	require.NoError(t, err)

	srv.do(http.MethodHead, url, nil, http.StatusInternalServerError)
}

// The client's filetype becomes the object's content type if it is a valid media type.
func TestContentTypeOfAClient(t *testing.T) {
	const (
		unknown  = "application/octet-stream" // stored if filetype is not valid
		partSize = 1 << 10
	)
	tests := []struct {
		name     string
		filetype string
		want     string
	}{
		{name: "a type", filetype: "image/png", want: "image/png"},
		{name: "a parameter", filetype: "text/plain; charset=utf-8", want: "text/plain; charset=utf-8"},
		{name: "another alphabet", filetype: `text/plain; name="é"`, want: "text/plain; name*=utf-8''%C3%A9"},
		{name: "spaces around", filetype: " text/plain ", want: "text/plain"},
		{name: "a new line", filetype: "text/plain\n", want: "text/plain"},
		{name: "a line in the text", filetype: "text/plain;\r\n a=b", want: "text/plain; a=b"},
		{name: "too long", filetype: "text/plain; a=" + strings.Repeat("x", 1100), want: unknown},
		{name: "a tab", filetype: "text/plain; a=\"x\ty\"", want: unknown},
		{name: "a NUL", filetype: "text/plain\x00", want: unknown},
		{name: "no subtype", filetype: "text/", want: unknown},
		{name: "a word", filetype: "text", want: unknown},
	}
	for _, tt := range tests {
		// The sizes are those of an empty file, of a file smaller than a part, and of a file of
		// several parts. A client sends the largest file in two requests.
		for _, size := range []int64{0, 10, 5000} {
			const requestSize = 3000
			t.Run(fmt.Sprintf("%s, %d bytes", tt.name, size), func(t *testing.T) {
				// Upload a file with the filetype in its metadata.
				srv := serve(t, memstore.New(), partSize)
				url := srv.create("Upload-Length", strconv.FormatInt(size, 10), "Upload-Metadata",
					"filetype "+base64.StdEncoding.EncodeToString([]byte(tt.filetype)))
				content := random(size)
				srv.send(url, content, requestSize)

				// The object has the content and its type.
				got, attrs, err := storage.ReadAll(t.Context(), srv.bucket, url[strings.LastIndex(url, "/")+1:])
				require.NoError(t, err)
				require.True(t, bytes.Equal(content, got))

				// If the filetype is not valid, a store may derive the type from the content of a file that was sent in
				// one request.
				if size > partSize || tt.want != unknown {
					require.Equal(t, tt.want, attrs.ContentType)
				}
			})
		}
	}
}

// If a server dies after any of its writes, Terminate leaves no object and no open multipart upload.
func TestTerminateAfterADeadServer(t *testing.T) {
	const partSize = 1 << 10
	tests := []struct {
		name string
		size int64
	}{
		{name: "empty", size: 0},
		{name: "small", size: 10},
		{name: "whole parts", size: 4 * partSize},
		{name: "parts, the last smaller", size: 5000},
	}
	for _, tt := range tests {
		for _, deferred := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, length with the bytes: %v", tt.name, deferred), func(t *testing.T) {
				// The server dies after write 1, 2 and so on, until an upload ends before that write.
				for write, died := 1, true; died; write++ {
					injector := faults.New()
					srv := serve(t, memstore.New(driver.WithLayer(injector.Layer())), partSize)
					fault := faults.DropResponse(faults.Writes).Nth(write).WithError(storage.PermissionDenied)
					url := srv.sendDuring(injector, fault, tt.size, deferred)
					died = len(injector.Hits()) > 0
					injector.Set()

					// Another server removes the upload.
					srv.do(http.MethodDelete, url, nil, http.StatusNoContent)
					require.Empty(t, srv.keys(), "the server died after write %d", write)
					requireNoOpenUploads(t, srv.bucket)
				}
			})
		}
	}
}

// sendDuring creates an upload, and sends all its bytes in a request that meets a fault, whatever the response is. If
// deferred is true, the client declares the length only with the bytes.
func (s server) sendDuring(injector *faults.Injector, fault faults.Rule, size int64, deferred bool) (url string) {
	s.t.Helper()
	length := strconv.FormatInt(size, 10)
	if deferred {
		url = s.create("Upload-Defer-Length", "1")
	} else {
		url = s.create("Upload-Length", length)
	}

	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPatch, url, bytes.NewReader(random(size)))
	require.NoError(s.t, err)
	req.Header.Set("Tus-Resumable", "1.0.0")
	req.Header.Set("Content-Type", "application/offset+octet-stream")
	req.Header.Set("Upload-Offset", "0")
	if deferred {
		req.Header.Set("Upload-Length", length)
	}
	injector.Set(fault)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(s.t, err)
	require.NoError(s.t, resp.Body.Close())
	return url
}

// If a part or the state after it cannot be stored, another server can complete the upload, and no multipart upload
// stays open.
func TestWriteChunkPartFails(t *testing.T) {
	tests := []struct {
		name  string
		fault faults.Rule
	}{
		{name: "the part fails", fault: faults.Fail(faults.PutPart)},
		{name: "the response to the part is lost", fault: faults.DropResponse(faults.PutPart)},
		{name: "the state fails", fault: faults.Fail(faults.Put)},
		{
			name:  "another server has changed the state",
			fault: faults.Fail(faults.Put).WithError(storage.PreconditionFailed),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			injector := faults.New()
			bucket := memstore.New(driver.WithLayer(injector.Layer()), storage.WithRetry(storage.RetryPolicy{
				Attempts: 1,
			}))
			store, err := New(bucket, Config{})
			require.NoError(t, err)
			store.basePart = 1
			partial, err := store.NewUpload(t.Context(), handler.FileInfo{ID: "a", SizeIsDeferred: true})
			require.NoError(t, err)

			// With a deferred length, a part has deferredParts bytes, so these are two parts.
			content := random(2 * deferredParts)

			// The first call of the kind fails.
			injector.Set(tt.fault.Nth(1))
			_, err = partial.WriteChunk(t.Context(), 0, bytes.NewReader(content))
			require.Error(t, err)
			injector.Set()

			// Another server completes the upload.
			reopened, err := store.GetUpload(t.Context(), "a")
			require.NoError(t, err)
			info, err := reopened.GetInfo(t.Context())
			require.NoError(t, err)
			_, err = reopened.WriteChunk(t.Context(), info.Offset, bytes.NewReader(content[info.Offset:]))
			require.NoError(t, err)
			require.NoError(t, reopened.(*upload).DeclareLength(t.Context(), int64(len(content))))
			require.NoError(t, reopened.FinishUpload(t.Context()))

			// All bytes are in the object.
			text, _, err := storage.ReadAll(t.Context(), bucket, "a")
			require.NoError(t, err)
			require.Equal(t, content, text)
			requireNoOpenUploads(t, bucket)
		})
	}
}

// A multipart upload that no state names, because the response to BeginParts was lost, is removed at the latest by
// Terminate.
func TestTerminateFindsAnUnnamedOpenUpload(t *testing.T) {
	tests := []struct {
		name       string
		attempts   int // of each request of the bucket
		wantStatus int // of the creation of the upload
	}{
		{
			name:       "BeginParts is not repeated, so the creation fails",
			attempts:   1,
			wantStatus: http.StatusInternalServerError,
		},
		{
			name:       "BeginParts is repeated, and begins a second upload",
			attempts:   3,
			wantStatus: http.StatusCreated,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The response to the first BeginParts is lost, so no state names that upload.
			injector := faults.New(faults.DropResponse(faults.BeginParts).Nth(1))
			bucket := memstore.New(driver.WithLayer(injector.Layer()), storage.WithRetry(storage.RetryPolicy{
				Attempts: tt.attempts,
			}))
			// An upload of 10 bytes needs several parts of this size.
			const partSize = 4
			srv := serve(t, bucket, partSize)

			url := srv.do(http.MethodPost, srv.url, nil, tt.wantStatus, "Upload-Length", "10").Header.Get("Location")

			// The server itself removes the multipart uploads of a failed creation. Otherwise, DELETE removes them.
			if tt.wantStatus == http.StatusCreated {
				srv.do(http.MethodDelete, url, nil, http.StatusNoContent)
			}

			require.Len(t, injector.Hits(), 1)
			requireNoOpenUploads(t, bucket)
		})
	}
}

// If a store cannot hold an object of the declared length, the upload is refused.
func TestNewUploadTooLong(t *testing.T) {
	limits := faults.Limits{MinPartSize: 1 << 10, MaxPartSize: 4 << 10, MaxParts: 3}
	longest := int64(limits.MaxParts) * limits.MaxPartSize
	tests := []struct {
		name   string
		length int64
		want   int // status
	}{
		{name: "the longest", length: longest, want: http.StatusCreated},
		{name: "one byte more", length: longest + 1, want: http.StatusRequestEntityTooLarge},
		{name: "the greatest integer", length: math.MaxInt64, want: http.StatusRequestEntityTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := serve(t, memstore.New(driver.WithLayer(faults.WithLimits(limits))), 1<<10)
			resp := srv.do(http.MethodPost, srv.url, nil, tt.want, "Upload-Length", strconv.FormatInt(tt.length, 10))
			location := resp.Header.Get("Location")

			// The store can hold the whole file.
			if tt.want == http.StatusCreated {
				const chunk = 5000
				content := random(longest)
				srv.send(location, content, chunk)
				require.True(t, bytes.Equal(content, srv.content(location)))
				return
			}

			// Nothing is left of an upload that is refused.
			require.Empty(t, srv.keys())
			requireNoOpenUploads(t, srv.bucket)
		})
	}
}

// A request that would need more parts than the store permits is refused, and the parts stored before can still become
// the object.
func TestWriteChunkTooManyParts(t *testing.T) {
	const (
		maxParts = 2
		basePart = 16
		partSize = deferredParts * basePart // of an upload of unknown length
	)
	limits := faults.WithLimits(faults.Limits{MaxParts: maxParts})
	srv := serve(t, memstore.New(driver.WithLayer(limits)), basePart)
	url := srv.create("Upload-Defer-Length", "1")
	content := random(maxParts * partSize)
	const chunk = 100
	srv.send(url, content, chunk)

	// One more part is refused.
	srv.do(http.MethodPatch, url, bytes.NewReader(random(partSize)),
		http.StatusRequestEntityTooLarge, "Upload-Offset", strconv.Itoa(len(content)))
	require.Equal(t, len(content), srv.offset(url))

	// The client declares that there are no more bytes.
	srv.do(http.MethodPatch, url, nil, http.StatusNoContent, "Upload-Offset", strconv.Itoa(len(content)),
		"Upload-Length", strconv.Itoa(len(content)))
	require.True(t, bytes.Equal(content, srv.content(url)))
}

// New refuses a bucket that lacks a required feature.
func TestNewRefusesBuckets(t *testing.T) {
	_, err := New(nil, Config{})
	require.ErrorIs(t, err, storage.InvalidArgument)

	tests := []struct {
		name    string
		missing storage.Features
	}{
		{name: "no conditional writes", missing: storage.ConditionalUpdate},
		{name: "no list of open uploads", missing: storage.OpenUploads},
		{name: "no metadata, which tails have", missing: storage.Metadata},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			removeFeatures := func(next driver.Driver) driver.Driver {
				return without{Driver: next, features: tt.missing}
			}
			_, err := New(memstore.New(driver.WithLayer(removeFeatures)), Config{})
			require.ErrorIs(t, err, storage.Unsupported)
		})
	}
}

// A without is a driver without some features.
type without struct {
	driver.Driver
	features storage.Features
}

func (d without) Describe() driver.Description {
	description := d.Driver.Describe()
	description.Features &^= d.features
	return description
}

// newQuickLocker returns a locker that asks for a lock more often than others, so that tests need not wait long.
func newQuickLocker(b storage.ReadWriter) *Locker { return &Locker{bucket: b, ttl: time.Second} }

// Lock asks the holder of the lock to release it. It waits for the release until its context ends.
func TestLocks(t *testing.T) {
	for _, store := range stores {
		t.Run(store.name, func(t *testing.T) {
			bucket := store.open(t)
			holder, err := newQuickLocker(bucket).NewLock("a")
			require.NoError(t, err)
			waiter, err := newQuickLocker(bucket).NewLock("a")
			require.NoError(t, err)

			// The holder is asked to release the lock, and does not, so the waiter gives up.
			ctx, cancel := context.WithCancel(t.Context())
			asked := make(chan struct{})
			require.NoError(t, holder.Lock(t.Context(), func() {
				close(asked) // a second call would panic
				cancel()
			}))
			require.ErrorIs(t, waiter.Lock(ctx, func() {}), handler.ErrLockTimeout)

			// When the holder releases the lock, the waiter gets it.
			locked := make(chan error)
			go func() {
				locked <- waiter.Lock(t.Context(), func() {})
			}()
			require.NoError(t, holder.Unlock())
			require.NoError(t, <-locked)
			require.NoError(t, waiter.Unlock())

			exists, err := bucket.Exists(t.Context(), "a.lock")
			require.NoError(t, err)
			require.False(t, exists)
		})
	}
}

// Lock and Unlock make one request each if nobody else wants the lock.
func TestLockRequests(t *testing.T) {
	var requests atomic.Int64
	bucket := memstore.New(storage.WithHook(func(
		ctx context.Context, _ storage.Operation,
	) (context.Context, func(storage.Outcome), error) {
		return ctx, func(outcome storage.Outcome) {
			requests.Add(int64(outcome.Requests))
		}, nil
	}))
	lock, err := newLocker(bucket).NewLock("a")
	require.NoError(t, err)

	require.NoError(t, lock.Lock(t.Context(), func() {}))
	require.NoError(t, lock.Unlock())
	require.Equal(t, int64(2), requests.Load())
}

// The holder of a lock may call Unlock inside of the callback that asks for the release.
func TestUnlockWhenAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		locker := newQuickLocker(memstore.New())
		holder, err := locker.NewLock("a")
		require.NoError(t, err)
		waiter, err := locker.NewLock("a")
		require.NoError(t, err)

		unlocked := make(chan error, 1)
		require.NoError(t, holder.Lock(t.Context(), func() {
			unlocked <- holder.Unlock()
		}))
		// This call asks the holder for the release.
		require.NoError(t, waiter.Lock(t.Context(), func() {}))

		require.NoError(t, <-unlocked)
		require.NoError(t, waiter.Unlock())
	})
}

// If the holder of a lock dies, another server gets the lock. If that server loses it too, requestUnlock is called, and
// Unlock leaves the lock to the new holder.
func TestLockOfADeadHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The object "a.lock" names the server that holds the lock.
		bucket := memstore.New()
		setHolder := func(text string) {
			_, err := bucket.Upload(t.Context(), "a.lock", strings.NewReader(text))
			require.NoError(t, err)
		}

		// The holder that the object names has died, so Lock succeeds after some time.
		setHolder(`{"Holder":"dead"}`) // in the format of an earlier release
		held, err := newLocker(bucket).NewLock("a")
		require.NoError(t, err)
		releaseRequested := make(chan struct{})
		require.NoError(t, held.Lock(t.Context(), func() {
			close(releaseRequested)
		}))

		// Another server takes the lock.
		setHolder(`{"Holder":"thief"}`)
		<-releaseRequested // Lock asks for the release of a lock that is lost
		require.NoError(t, held.Unlock())

		exists, err := bucket.Exists(t.Context(), "a.lock")
		require.NoError(t, err)
		require.True(t, exists, "the lock of the new holder stays")
	})
}
