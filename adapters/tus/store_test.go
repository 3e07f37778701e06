package tus

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"io"
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

// serve starts tusd on a bucket, with parts of that size.
func serve(t *testing.T, b storage.Bucket, part int64) server {
	t.Helper()
	store, err := New(b, Config{})
	require.NoError(t, err)
	store.basePart = part
	composer := handler.NewStoreComposer()
	store.UseIn(composer)
	h, err := handler.NewHandler(handler.Config{BasePath: "/files/", StoreComposer: composer})
	require.NoError(t, err)
	s := httptest.NewServer(http.StripPrefix("/files/", h))
	t.Cleanup(s.Close)
	return server{t, b, s.URL + "/files/", part}
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

// send sends content in chunks of that size.
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
			s := serve(t, store.open(t), store.part)
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
					s.t = t
					content := random(tt.size)
					url := s.create("Upload-Length", strconv.Itoa(len(content)), "Upload-Metadata",
						"filetype "+base64.StdEncoding.EncodeToString([]byte("image/png")))

					s.send(url, content, int(tt.chunk))
					require.Equal(t, len(content), s.offset(url))
					require.True(t, bytes.Equal(content, s.content(url)))

					got, err := io.ReadAll(s.do(http.MethodGet, url, nil, http.StatusOK).Body)
					require.NoError(t, err)
					require.True(t, bytes.Equal(content, got))

					s.do(http.MethodDelete, url, nil, http.StatusNoContent)
					s.do(http.MethodHead, url, nil, http.StatusNotFound)
					require.Empty(t, s.keys())
				})
			}
		})
	}
}

// A client can declare the length of an upload after its creation.
func TestDeclareLength(t *testing.T) {
	for _, store := range stores[:2] {
		t.Run(store.name, func(t *testing.T) {
			s := serve(t, store.open(t), store.part)
			for _, size := range []int64{10, deferredParts*store.part + 10} {
				content := random(size)
				url := s.create("Upload-Defer-Length", "1")
				s.send(url, content, int(size))
				s.do(http.MethodPatch, url, nil, http.StatusNoContent, "Upload-Offset",
					strconv.Itoa(len(content)), "Upload-Length", strconv.Itoa(len(content)))
				require.True(t, bytes.Equal(content, s.content(url)))
			}
		})
	}
}

// A final upload joins partial uploads.
func TestConcatUploads(t *testing.T) {
	for _, store := range stores {
		t.Run(store.name, func(t *testing.T) {
			s := serve(t, store.open(t), store.part)
			var data []byte
			var urls []string
			for _, size := range []int64{store.part + 3, 5} {
				content := random(size)
				url := s.create("Upload-Length", strconv.Itoa(len(content)), "Upload-Concat", "partial")
				s.send(url, content, len(content))
				data = append(data, content...)
				urls = append(urls, url)
			}
			url := s.create("Upload-Concat", "final;"+strings.Join(urls, " "))
			require.True(t, bytes.Equal(data, s.content(url)))
		})
	}
}

// If reading the body fails, the bytes before the error are kept.
func TestWriteChunkBodyFails(t *testing.T) {
	store, err := New(memstore.New(), Config{})
	require.NoError(t, err)
	store.basePart = 10
	u, err := store.NewUpload(t.Context(), handler.FileInfo{Size: 100})
	require.NoError(t, err)
	info, err := u.GetInfo(t.Context())
	require.NoError(t, err)

	n, err := u.WriteChunk(t.Context(), 0,
		io.MultiReader(strings.NewReader("twenty-three characters"), iotest.ErrReader(io.ErrUnexpectedEOF)))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, int64(23), n)

	_, err = u.GetReader(t.Context())
	require.ErrorIs(t, err, ErrIncomplete)

	reopened, err := store.GetUpload(t.Context(), info.ID) // as another server would
	require.NoError(t, err)

	info, err = reopened.GetInfo(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(23), info.Offset)

	_, err = reopened.WriteChunk(t.Context(), 22, strings.NewReader("x"))
	require.ErrorIs(t, err, handler.ErrMismatchOffset)
	_, err = reopened.WriteChunk(t.Context(), 23, strings.NewReader(strings.Repeat("x", 77)))
	require.NoError(t, err)
	require.NoError(t, reopened.FinishUpload(t.Context()))
	require.NoError(t, reopened.FinishUpload(t.Context()), "again")

	_, err = u.WriteChunk(t.Context(), 23, strings.NewReader("y"))
	require.Error(t, err, "a server that has lost its lock stores nothing")
	text, _, err := storage.ReadAll(t.Context(), store.bucket, info.ID)
	require.NoError(t, err)
	require.Equal(t, "twenty-three characters"+strings.Repeat("x", 77), string(text))
}

// If a server has lost its lock and continues with an older state, the bytes that another server has acknowledged
// are kept.
func TestWriteChunkWithoutItsLock(t *testing.T) {
	for _, row := range stores {
		t.Run(row.name, func(t *testing.T) {
			store, err := New(row.open(t), Config{})
			require.NoError(t, err)
			store.basePart = row.part
			content := random(2*row.part - 1)
			upload, err := store.NewUpload(t.Context(), handler.FileInfo{ID: "a", Size: int64(len(content))})
			require.NoError(t, err)
			write := func(u handler.Upload, start, end int64) error {
				_, err := u.WriteChunk(t.Context(), start, bytes.NewReader(content[start:end]))
				return err
			}
			require.NoError(t, write(upload, 0, 100))

			for _, offset := range []int64{300, row.part, row.part + 50, row.part + 200} {
				holder, err := store.GetUpload(t.Context(), "a")
				require.NoError(t, err)
				info, err := holder.GetInfo(t.Context())
				require.NoError(t, err)
				stale, err := store.GetUpload(t.Context(), "a")
				require.NoError(t, err)

				require.NoError(t, write(holder, info.Offset, offset))
				require.ErrorIs(t, write(stale, info.Offset, info.Offset+10), handler.ErrFileLocked)
				require.ErrorIs(t, write(upload, 100, 150), handler.ErrFileLocked, "with the oldest state")
			}

			last, err := store.GetUpload(t.Context(), "a")
			require.NoError(t, err)
			require.NoError(t, write(last, row.part+200, int64(len(content))))
			require.NoError(t, last.FinishUpload(t.Context()))
			text, _, err := storage.ReadAll(t.Context(), store.bucket, "a")
			require.NoError(t, err)
			require.True(t, bytes.Equal(content, text))
			require.Error(t, write(upload, 100, 150), "after the end")

			exists, err := store.bucket.Exists(t.Context(), "a.part")
			require.NoError(t, err)
			require.False(t, exists)
		})
	}
}

// A server dies after the last part is stored and before the object is made. A client that then asks for the
// offset need not send anything more.
func TestGetInfoFinishesAnUpload(t *testing.T) {
	for _, row := range stores {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, row.open(t), row.part)
			store, err := New(s.bucket, Config{})
			require.NoError(t, err)
			store.basePart = row.part

			for id, size := range map[string]int64{"whole": 2 * row.part, "odd": row.part + 7} {
				content := random(size)
				u, err := store.NewUpload(t.Context(), handler.FileInfo{ID: id, Size: size})
				require.NoError(t, err)
				_, err = u.WriteChunk(t.Context(), 0, bytes.NewReader(content))
				require.NoError(t, err)

				exists, err := s.bucket.Exists(t.Context(), id)
				require.NoError(t, err)
				require.False(t, exists)
				require.Equal(t, int(size), s.offset(s.url+id))
				require.True(t, bytes.Equal(content, s.content(s.url+id)))
			}
		})
	}
}

// While the object cannot be made, HEAD does not report the full length.
func TestGetInfoFinishFails(t *testing.T) {
	injector := faults.New()
	s := serve(t, memstore.New(driver.WithLayer(injector.Layer())), 4)
	content := random(10)
	url := s.create("Upload-Length", "10")
	injector.Set(faults.Fail(faults.CompleteParts).WithError(storage.PermissionDenied))
	s.do(http.MethodPatch, url, bytes.NewReader(content), http.StatusInternalServerError,
		"Upload-Offset", "0")
	s.do(http.MethodHead, url, nil, http.StatusInternalServerError)

	injector.Set()
	require.Equal(t, 10, s.offset(url))
	require.True(t, bytes.Equal(content, s.content(url)))

	url = s.create("Upload-Length", "10")
	injector.Set(faults.Fail(faults.CompleteParts).WithError(storage.PermissionDenied))
	s.do(http.MethodPatch, url, bytes.NewReader(content), http.StatusInternalServerError,
		"Upload-Offset", "0")
	s.do(http.MethodDelete, url, nil, http.StatusNoContent)
	s.do(http.MethodHead, url, nil, http.StatusNotFound)
}

// If the store fails after the object was made, so that the state does not name it, Terminate removes the object.
func TestTerminateRemovesAnObjectThatTheStateDoesNotName(t *testing.T) {
	tests := map[string]struct {
		info handler.FileInfo
		sent int64
		make func(t *testing.T, u handler.Upload) error
	}{
		"in parts": {
			info: handler.FileInfo{ID: "a", Size: 10, Storage: map[string]string{"Key": "other/a"}},
			sent: 10,
			make: finish,
		},
		"in parts, a made-up ID":  {info: handler.FileInfo{Size: 10}, sent: 10, make: finish},
		"in a part, a made-up ID": {info: handler.FileInfo{Size: 3}, sent: 0, make: writeThree},
		"in a part, at the key of a hook": {
			info: handler.FileInfo{ID: "a", Size: 3, Storage: map[string]string{"Key": "other/a"}},
			sent: 0,
			make: writeThree,
		},
		"in a part, with the ID of a hook": {
			info: handler.FileInfo{ID: "a", Size: 3},
			sent: 0,
			make: writeThree,
		},
		"joined, at the key of a hook": {
			info: handler.FileInfo{
				ID:      "a",
				IsFinal: true,
				Storage: map[string]string{"Key": "other/a"},
			},
			sent: 0,
			make: func(t *testing.T, u handler.Upload) error {
				piece, err := u.(*upload).store.NewUpload(t.Context(), handler.FileInfo{Size: 3})
				require.NoError(t, err)
				require.NoError(t, writeThree(t, piece))
				failure := u.(*upload).ConcatUploads(t.Context(), []handler.Upload{piece})
				require.NoError(t, piece.(*upload).Terminate(t.Context()))
				return failure
			},
		},
		"empty, at the key of a hook": {
			info: handler.FileInfo{ID: "a", Storage: map[string]string{"Key": "other/a"}},
			sent: 0,
			make: finish,
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
			_, err = u.WriteChunk(t.Context(), 0, bytes.NewReader(random(tt.sent)))
			require.NoError(t, err)
			id := u.(*upload).id
			injector.Set(faults.Fail(faults.Put).ForKey(id + ".info").WithError(storage.PermissionDenied))

			require.ErrorIs(t, tt.make(t, u), storage.PermissionDenied)
			injector.Set()
			exists, err := b.Exists(t.Context(), u.(*upload).key())
			require.NoError(t, err)
			require.True(t, exists)

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
	injector.Set(faults.Fail(faults.Put).ForKey("a.info").WithError(storage.PermissionDenied))

	require.ErrorIs(t, writeThree(t, u), storage.PermissionDenied)
	injector.Set()
	_, err = b.Upload(t.Context(), "a", strings.NewReader("text"))
	require.NoError(t, err)
	reopened, err := store.GetUpload(t.Context(), "a") // as another server would
	require.NoError(t, err)
	require.NoError(t, reopened.(*upload).Terminate(t.Context()))
	require.Equal(t, []string{"a"}, server{t: t, bucket: b}.keys())
}

// The object has the metadata and the content type of Config.Options.
func TestObjectKeepsTheMetadataOfItsOptions(t *testing.T) {
	b := memstore.New()
	store, err := New(b, Config{Options: func(handler.FileInfo) []storage.WriteOption {
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
		attrs, err := b.Attrs(t.Context(), u.(*upload).key())
		require.NoError(t, err)
		require.Equal(t, "alice", attrs.Metadata["owner"])
		require.Equal(t, "text/plain", attrs.ContentType)
	}
}

// If a hook chose a key where another object exists, and the upload has made none, Terminate keeps that object.
func TestTerminateKeepsAnObjectOfSomebodyElse(t *testing.T) {
	tests := map[string]struct {
		info     handler.FileInfo
		basePart int64
		sent     int64
	}{
		"the ID of a hook": {
			info:     handler.FileInfo{ID: "kept", Size: 10},
			basePart: basePart,
			sent:     5,
		},
		"the key of a hook": {
			info:     handler.FileInfo{Size: 10, Storage: map[string]string{"Key": "kept"}},
			basePart: basePart,
			sent:     5,
		},
		"in parts, before all bytes": {
			info:     handler.FileInfo{ID: "a", Size: 10, Storage: map[string]string{"Key": "kept"}},
			basePart: 4,
			sent:     5,
		},
		"in parts, after all bytes": {
			info:     handler.FileInfo{ID: "a", Size: 10, Storage: map[string]string{"Key": "kept"}},
			basePart: 4,
			sent:     10,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := memstore.New()
			store, err := New(b, Config{})
			require.NoError(t, err)
			store.basePart = tt.basePart
			_, err = b.Upload(t.Context(), "kept", strings.NewReader("text"))
			require.NoError(t, err)
			u, err := store.NewUpload(t.Context(), tt.info)
			require.NoError(t, err)
			_, err = u.WriteChunk(t.Context(), 0, bytes.NewReader(random(tt.sent)))
			require.NoError(t, err)

			require.NoError(t, u.(*upload).Terminate(t.Context()))
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
	for _, row := range []struct {
		at   int64
		text string
	}{{0, "01"}, {2, "23"}, {4, "45"}} {
		if row.at == 4 {
			require.NoError(t, store.bucket.Remove(t.Context(), "a.part"))
		}
		_, err = u.WriteChunk(t.Context(), row.at, strings.NewReader(row.text))
		require.NoError(t, err)
	}
	_, err = u.WriteChunk(t.Context(), 6, strings.NewReader("6789"))
	require.NoError(t, err)
	require.NoError(t, u.FinishUpload(t.Context()))

	text, _, err := storage.ReadAll(t.Context(), store.bucket, "a")
	require.NoError(t, err)
	require.Equal(t, "0123456789", string(text))
}

// If a server dies after it stored the last bytes in their own object, and before it saved the state, the upload
// continues correctly.
func TestTailWithoutAStateIsReplaced(t *testing.T) {
	store, err := New(memstore.New(), Config{})
	require.NoError(t, err)
	u, err := store.NewUpload(t.Context(), handler.FileInfo{ID: "a", Size: 10})
	require.NoError(t, err)
	_, err = store.bucket.Upload(t.Context(), "a.part", strings.NewReader("01"), storage.WithMetadata(map[string]string{
		"part": "1",
	}))
	require.NoError(t, err)
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
	b := memstore.New()
	store, err := New(b, Config{Options: func(handler.FileInfo) []storage.WriteOption {
		return []storage.WriteOption{storage.WithCacheControl("max-age=7")}
	}})
	require.NoError(t, err)
	info := handler.FileInfo{ID: "folder/one", Size: 4, Storage: map[string]string{"Key": "other/two"}}
	u, err := store.NewUpload(t.Context(), info)
	require.NoError(t, err)

	_, err = store.NewUpload(t.Context(), info)
	require.ErrorIs(t, err, ErrExists)
	_, err = u.WriteChunk(t.Context(), 0, strings.NewReader("text"))
	require.NoError(t, err)
	attrs, err := b.Attrs(t.Context(), "other/two")
	require.NoError(t, err)
	require.Equal(t, "max-age=7", attrs.CacheControl)

	for _, id := range []string{"folder/none", "a//b", "", "folder/one.info"} {
		_, err = store.GetUpload(t.Context(), id)
		require.ErrorIs(t, err, handler.ErrNotFound, "%q", id)
	}
}

// If an ID is invalid or unknown, GetUpload and Lock return the error for a missing upload.
func TestGetUploadInvalidID(t *testing.T) {
	s := serve(t, memstore.New(), 1<<10)
	for name, path := range map[string]string{
		"backslash":         "a%5Cb",
		"empty segment":     "a//b",
		"dot":               "a/./b",
		"control character": "%00",
		"invalid UTF-8":     "%FF",
		"too long":          strings.Repeat("x", 2000),
		"too long for info": strings.Repeat("x", 1020),
		"too many segments": strings.Repeat("x/", 254) + "x",
		"nobody's":          "none",
	} {
		t.Run(name, func(t *testing.T) {
			s := s
			s.t = t
			s.do(http.MethodHead, s.url+path, nil, http.StatusNotFound)
			s.do(http.MethodGet, s.url+path, nil, http.StatusNotFound)
			s.do(http.MethodPatch, s.url+path, nil, http.StatusNotFound, "Upload-Offset", "0")
			s.do(http.MethodDelete, s.url+path, nil, http.StatusNotFound)
			require.Empty(t, s.keys())
		})
	}
}

// If the store refuses every request, as with a wrong region, the response is 500, not "not found".
func TestGetUploadStoreRefuses(t *testing.T) {
	for name, calls := range map[string]faults.Calls{"the lock": faults.Put, "the state": faults.Get} {
		for hint, text := range map[string]string{"": "", ", and says why": "set region=eu-central-1"} {
			t.Run(name+hint, func(t *testing.T) {
				injector := faults.New()
				s := serve(t, memstore.New(driver.WithLayer(injector.Layer())), 1<<10)
				url := s.create("Upload-Length", "4")
				injector.Set(faults.Fail(calls).WithError(&storage.Error{
					Code:   storage.InvalidArgument,
					Status: http.StatusBadRequest,
					Hint:   text,
				}))
				s.do(http.MethodHead, url, nil, http.StatusInternalServerError)
			})
		}
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
			s := serve(t, memstore.New(driver.WithLayer(injector.Layer())), 1<<10)
			s.do(http.MethodHead, s.url+"odd", nil, http.StatusNotFound)
			require.Empty(t, s.keys())
		})
	}
}

// If another object has the key of an upload's lock, the response is 500, not "not found".
func TestLockReplacedByAnObject(t *testing.T) {
	s := serve(t, memstore.New(), 1<<10)
	url := s.create("Upload-Length", "4")
	_, err := s.bucket.Upload(t.Context(), url[strings.LastIndex(url, "/")+1:]+".lock",
		strings.NewReader("text"))
	require.NoError(t, err)
	s.do(http.MethodHead, url, nil, http.StatusInternalServerError)
}

// The client's filetype becomes the object's content type if it is a valid media type.
func TestContentTypeOfAClient(t *testing.T) {
	const none = "application/octet-stream"
	tests := map[string]struct{ given, want string }{
		"a type":             {"image/png", "image/png"},
		"a parameter":        {"text/plain; charset=utf-8", "text/plain; charset=utf-8"},
		"another alphabet":   {`text/plain; name="é"`, "text/plain; name*=utf-8''%C3%A9"},
		"spaces around":      {" text/plain ", "text/plain"},
		"a new line":         {"text/plain\n", "text/plain"},
		"a line in the text": {"text/plain;\r\n a=b", "text/plain; a=b"},
		"too long":           {"text/plain; a=" + strings.Repeat("x", 1100), none},
		"a tab":              {"text/plain; a=\"x\ty\"", none},
		"a NUL":              {"text/plain\x00", none},
		"no subtype":         {"text/", none},
		"a word":             {"text", none},
	}
	for name, tt := range tests {
		for size, length := range map[string]int64{"empty": 0, "small": 10, "in parts": 5000} {
			t.Run(name+", "+size, func(t *testing.T) {
				s := serve(t, memstore.New(), 1<<10)
				url := s.create("Upload-Length", strconv.FormatInt(length, 10), "Upload-Metadata",
					"filetype "+base64.StdEncoding.EncodeToString([]byte(tt.given)))
				content := random(length)
				s.send(url, content, 3000)

				got, attrs, err := storage.ReadAll(t.Context(), s.bucket, url[strings.LastIndex(url, "/")+1:])
				require.NoError(t, err)
				require.True(t, bytes.Equal(content, got))

				if length == 5000 || tt.want != none { // else the bytes may tell
					require.Equal(t, tt.want, attrs.ContentType)
				}
			})
		}
	}
}

// If a server dies after any of its writes, Terminate leaves no object and no open multipart upload.
func TestTerminateAfterADeadServer(t *testing.T) {
	for name, size := range map[string]int64{
		"empty":          0,
		"small":          10,
		"in whole parts": 4096,
		"in parts":       5000,
	} {
		for begin, header := range map[string][]string{
			"":                          {"Upload-Length", strconv.FormatInt(size, 10)},
			", and the length is later": {"Upload-Defer-Length", "1"},
		} {
			t.Run(name+begin, func(t *testing.T) {
				for n, died := 1, true; died; n++ {
					injector := faults.New()
					s := serve(t, memstore.New(driver.WithLayer(injector.Layer())), 1<<10)
					url := s.create(header...)
					injector.Set(faults.DropResponse(faults.Writes).Nth(n).WithError(storage.PermissionDenied))
					request, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, url,
						bytes.NewReader(random(size)))
					require.NoError(t, err)
					request.Header = http.Header{
						"Tus-Resumable": {"1.0.0"},
						"Content-Type":  {"application/offset+octet-stream"},
						"Upload-Offset": {"0"},
					}
					if header[0] != "Upload-Length" {
						request.Header.Set("Upload-Length", strconv.FormatInt(size, 10))
					}
					response, err := http.DefaultClient.Do(request)
					require.NoError(t, err)
					require.NoError(t, response.Body.Close())
					died = len(injector.Hits()) > 0
					injector.Set()

					s.do(http.MethodDelete, url, nil, http.StatusNoContent)
					require.Empty(t, s.keys(), "the server died after write %d", n)
					for open, err := range storage.ListUploads(t.Context(), s.bucket) {
						require.NoError(t, err)
						require.Fail(t, "an upload is open", "%s, after write %d", open.Key, n)
					}
				}
			})
		}
	}
}

// If a part or the state after it cannot be stored, another server continues the upload, and no multipart upload
// stays open.
func TestWriteChunkPartFails(t *testing.T) {
	for name, fault := range map[string]faults.Rule{
		"the part":                         faults.Fail(faults.PutPart),
		"the response to the part":         faults.DropResponse(faults.PutPart),
		"the state after it":               faults.Fail(faults.Put),
		"the state, which another one has": faults.Fail(faults.Put).WithError(storage.PreconditionFailed),
	} {
		t.Run(name, func(t *testing.T) {
			injector := faults.New()
			b := memstore.New(driver.WithLayer(injector.Layer()), storage.WithRetry(storage.RetryPolicy{
				Attempts: 1,
			}))
			store, err := New(b, Config{})
			require.NoError(t, err)
			store.basePart = 1
			partial, err := store.NewUpload(t.Context(), handler.FileInfo{ID: "a", SizeIsDeferred: true})
			require.NoError(t, err)
			content := random(2 * deferredParts)
			injector.Set(fault.Nth(1))

			_, err = partial.WriteChunk(t.Context(), 0, bytes.NewReader(content))
			require.Error(t, err)
			injector.Set()

			reopened, err := store.GetUpload(t.Context(), "a")
			require.NoError(t, err)
			info, err := reopened.GetInfo(t.Context())
			require.NoError(t, err)
			_, err = reopened.WriteChunk(t.Context(), info.Offset, bytes.NewReader(content[info.Offset:]))
			require.NoError(t, err)
			require.NoError(t, reopened.(*upload).DeclareLength(t.Context(), int64(len(content))))
			require.NoError(t, reopened.FinishUpload(t.Context()))

			text, _, err := storage.ReadAll(t.Context(), b, "a")
			require.NoError(t, err)
			require.Equal(t, content, text)

			for open, err := range storage.ListUploads(t.Context(), b) {
				require.NoError(t, err)
				require.Fail(t, "an upload is open", open.Key)
			}
		})
	}
}

// If the response to the beginning of a multipart upload is lost, so that no state names it, no multipart upload
// stays open.
func TestTerminateFindsAnUnnamedOpenUpload(t *testing.T) {
	tests := map[string]struct{ attempts, want int }{
		"the upload fails":                      {1, http.StatusInternalServerError},
		"another one is begun, and is given up": {3, http.StatusCreated},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			injector := faults.New(faults.DropResponse(faults.BeginParts).Nth(1))
			b := memstore.New(driver.WithLayer(injector.Layer()), storage.WithRetry(storage.RetryPolicy{
				Attempts: tt.attempts,
			}))
			s := serve(t, b, 4)
			url := s.do(http.MethodPost, s.url, nil, tt.want, "Upload-Length", "10").Header.Get("Location")
			if tt.want == http.StatusCreated {
				s.do(http.MethodDelete, url, nil, http.StatusNoContent)
			}
			require.Len(t, injector.Hits(), 1)
			for open, err := range storage.ListUploads(t.Context(), b) {
				require.NoError(t, err)
				require.Fail(t, "an upload is open", open.Key)
			}
		})
	}
}

// If a store cannot hold an object of the declared length, the upload is refused.
func TestNewUploadTooLong(t *testing.T) {
	tests := map[string]struct {
		length string
		want   int
	}{
		"the longest":          {"12288", http.StatusCreated},
		"one byte more":        {"12289", http.StatusRequestEntityTooLarge},
		"the greatest integer": {"9223372036854775807", http.StatusRequestEntityTooLarge},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			limits := faults.WithLimits(faults.Limits{
				MinPartSize: 1 << 10,
				MaxPartSize: 4 << 10,
				MaxParts:    3,
			})
			s := serve(t, memstore.New(driver.WithLayer(limits)), 1<<10)
			location := s.do(http.MethodPost, s.url, nil, tt.want, "Upload-Length",
				tt.length).Header.Get("Location")
			if tt.want == http.StatusCreated {
				content := random(12288)
				s.send(location, content, 5000)
				require.True(t, bytes.Equal(content, s.content(location)))
				return
			}

			require.Empty(t, s.keys())
			for open, err := range storage.ListUploads(t.Context(), s.bucket) {
				require.NoError(t, err)
				require.Fail(t, "an upload is open", open.Key)
			}
		})
	}
}

// If an upload of unknown length would need more parts than the store permits, the request is refused. The parts
// stored before can still become the object.
func TestWriteChunkTooManyParts(t *testing.T) {
	s := serve(t, memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{MaxParts: 2}))), 16)
	url := s.create("Upload-Defer-Length", "1")
	content := random(2 * deferredParts * 16)
	s.send(url, content, 100)

	s.do(http.MethodPatch, url, bytes.NewReader(random(deferredParts*16)),
		http.StatusRequestEntityTooLarge, "Upload-Offset", strconv.Itoa(len(content)))
	require.Equal(t, len(content), s.offset(url))

	s.do(http.MethodPatch, url, nil, http.StatusNoContent, "Upload-Offset", strconv.Itoa(len(content)),
		"Upload-Length", strconv.Itoa(len(content)))
	require.True(t, bytes.Equal(content, s.content(url)))
}

// New refuses a bucket that lacks a required feature.
func TestNewRefusesBuckets(t *testing.T) {
	_, err := New(nil, Config{})
	require.ErrorIs(t, err, storage.InvalidArgument)
	for name, features := range map[string]storage.Features{
		"conditional writes":         storage.ConditionalUpdate,
		"open uploads":               storage.OpenUploads,
		"metadata, which tails have": storage.Metadata,
	} {
		t.Run(name, func(t *testing.T) {
			_, err = New(memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
				return without{
					d, features,
				}
			})), Config{})
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

// quick returns a locker that looks often.
func quick(b storage.ReadWriter) *Locker { return &Locker{bucket: b, ttl: time.Second} }

// A lock that another request holds is waited for. The holder is told to release it.
func TestLocks(t *testing.T) {
	for _, store := range stores {
		t.Run(store.name, func(t *testing.T) {
			b := store.open(t)
			one, err := quick(b).NewLock("a")
			require.NoError(t, err)
			two, err := quick(b).NewLock("a")
			require.NoError(t, err)

			// The first request holds the lock, and is asked to release it.
			asked := make(chan struct{})
			require.NoError(t, one.Lock(t.Context(), func() {
				close(asked)
			}))
			waiting, cancel := context.WithCancel(t.Context())
			go func() {
				<-asked
				cancel()
			}()
			require.ErrorIs(t, two.Lock(waiting, func() {}), handler.ErrLockTimeout)

			// When it releases the lock, the second request gets it.
			locked := make(chan error)
			go func() {
				locked <- two.Lock(t.Context(), func() {})
			}()
			require.NoError(t, one.Unlock())
			require.NoError(t, <-locked)
			require.NoError(t, two.Unlock())

			exists, err := b.Exists(t.Context(), "a.lock")
			require.NoError(t, err)
			require.False(t, exists)
		})
	}
}

// Lock and Unlock make one request each if nobody else wants the lock.
func TestLockRequests(t *testing.T) {
	var requests atomic.Int64
	b := memstore.New(storage.WithHook(func(
		ctx context.Context, _ storage.Operation,
	) (context.Context, func(storage.Outcome), error) {
		return ctx, func(outcome storage.Outcome) {
			requests.Add(int64(outcome.Requests))
		}, nil
	}))
	l, err := newLocker(b).NewLock("a")
	require.NoError(t, err)
	require.NoError(t, l.Lock(t.Context(), func() {}))
	require.NoError(t, l.Unlock())
	require.Equal(t, int64(2), requests.Load())
}

// The holder of a lock may call Unlock inside of the callback that asks for the release.
func TestUnlockWhenAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		locker := quick(memstore.New())
		one, err := locker.NewLock("a")
		require.NoError(t, err)
		unlocked := make(chan error, 1)
		require.NoError(t, one.Lock(t.Context(), func() {
			unlocked <- one.Unlock()
		}))
		two, err := locker.NewLock("a")
		require.NoError(t, err)
		require.NoError(t, two.Lock(t.Context(), func() {}))
		require.NoError(t, <-unlocked)
		require.NoError(t, two.Unlock())
	})
}

// If the holder of a lock dies, another server gets the lock.
func TestLockOfADeadHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memstore.New()
		_, err := b.Upload(t.Context(), "a.lock",
			strings.NewReader(`{"Holder":"dead"}`)) // of an earlier release
		require.NoError(t, err)
		l, err := newLocker(b).NewLock("a")
		require.NoError(t, err)
		requests := make(chan struct{})
		require.NoError(t, l.Lock(t.Context(), func() {
			close(requests)
		}))
		_, err = b.Upload(t.Context(), "a.lock", strings.NewReader(`{"Holder":"thief"}`))
		require.NoError(t, err)
		<-requests // the holder learns that it has lost the lock
		require.NoError(t, l.Unlock())

		exists, err := b.Exists(t.Context(), "a.lock")
		require.NoError(t, err)
		require.True(t, exists, "it is the other's")
	})
}
