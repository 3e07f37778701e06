package nullgcs

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"cloud.google.com/go/storage"
	"github.com/stretchr/testify/require"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"

	"github.com/omnibucket/storage/tools/benchmarks/nullserver"
)

func start(t *testing.T) *nullserver.Server {
	t.Helper()
	s, err := nullserver.Start(Service{}, nullserver.Options{}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func bucket(t *testing.T, s *nullserver.Server) *storage.BucketHandle {
	t.Helper()
	client, err := storage.NewClient(t.Context(), option.WithEndpoint(s.URL+"/storage/v1/"), option.WithoutAuthentication())
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client.Bucket("bucket")
}

// The server counts each request under the name of its operation.
func TestCountsByName(t *testing.T) {
	tests := []struct{ method, path, want string }{
		{method: "POST", path: "/upload/storage/v1/b/bucket/o?uploadType=multipart", want: Insert},
		{method: "POST", path: "/upload/storage/v1/b/bucket/o?uploadType=resumable", want: Session},
		{method: "PUT", path: "/upload/storage/v1/b/bucket/o?uploadType=resumable&upload_id=session", want: Chunk},
		{method: "DELETE", path: "/upload/storage/v1/b/bucket/o?uploadType=resumable&upload_id=session", want: Delete},
		{method: "GET", path: "/bucket/10/key", want: Read},
		{method: "GET", path: "/storage/v1/b/bucket/o/10%2Fkey?alt=media", want: Read},
		{method: "GET", path: "/storage/v1/b/bucket/o/10%2Fkey?alt=json", want: Attrs},
		{method: "GET", path: "/storage/v1/b/bucket/o?prefix=10/", want: List},
		{method: "DELETE", path: "/storage/v1/b/bucket/o/10%2Fkey", want: Delete},
		{method: "GET", path: "/storage/v1/b/bucket", want: "GET bucket"},
	}
	for _, tt := range tests {
		t.Run(tt.want+" "+tt.path, func(t *testing.T) {
			s := start(t)
			request, err := http.NewRequestWithContext(t.Context(), tt.method, s.URL+tt.path, strings.NewReader("body"))
			require.NoError(t, err)
			response, err := http.DefaultTransport.RoundTrip(request)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())

			counts, err := nullserver.Counts(http.DefaultClient, s.URL)
			require.NoError(t, err)
			require.Equal(t, map[string]int{tt.want: 1}, counts)
		})
	}
}

// Google's SDK can upload to the server, in one request or in chunks. If the last chunk is full, the SDK sends an empty
// one after it.
func TestSDKUploads(t *testing.T) {
	const chunkSize = 256 << 10
	tests := []struct {
		name         string
		size         int
		wantRequests map[string]int
	}{
		{name: "in one request", size: 100, wantRequests: map[string]int{Insert: 1}},
		{name: "in chunks", size: 600 << 10, wantRequests: map[string]int{Session: 1, Chunk: 3}},
		{name: "in full chunks", size: 2 * chunkSize, wantRequests: map[string]int{Session: 1, Chunk: 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t)
			w := bucket(t, s).Object("100/name").NewWriter(t.Context())
			w.ChunkSize = chunkSize
			_, err := w.Write(make([]byte, tt.size))
			require.NoError(t, err)
			require.NoError(t, w.Close())
			require.NotZero(t, w.Attrs().Generation)

			counts, err := nullserver.Counts(http.DefaultClient, s.URL)
			require.NoError(t, err)
			require.Equal(t, tt.wantRequests, counts)
		})
	}
}

func TestSDKReadsAndVerifies(t *testing.T) {
	r, err := bucket(t, start(t)).Object("5000/name").NewReader(t.Context())
	require.NoError(t, err)
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Len(t, data, 5000)
	require.Equal(t, nullserver.CRC32C(5000), r.Attrs.CRC32C)
}

// The number at the beginning of a listing's prefix sets how many objects the server lists. If a client asks for some
// attributes, the objects have only these.
func TestListPrefixSetsTheLength(t *testing.T) {
	query := &storage.Query{Prefix: "2500/"}

	// List all objects, with all attributes.
	objects := bucket(t, start(t)).Objects(t.Context(), query)
	var keys []string
	for {
		object, err := objects.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		require.NoError(t, err)
		require.NotEmpty(t, object.Etag)
		keys = append(keys, object.Name)
	}
	require.Len(t, keys, 2500)
	require.IsIncreasing(t, keys)

	// List the first object, with its name and size.
	require.NoError(t, query.SetAttrSelection([]string{"Name", "Size"}))
	object, err := bucket(t, start(t)).Objects(t.Context(), query).Next()
	require.NoError(t, err)
	require.Equal(t, int64(1000), object.Size)
	require.Empty(t, object.Etag, "which was not asked for")
}

// The server accepts each chunk of a resumable upload with the status and the Range header of Google's servers.
// Before the last chunk, this status is 308. A client that takes 308 for a redirect asks for 200 in X-Guploader-No-308.
func TestUploadChunkIsAccepted(t *testing.T) {
	s := start(t)
	tests := []struct {
		name         string
		contentRange string // of the request
		no308        string // the request's X-Guploader-No-308
		wantStatus   int
		wantRange    string // bytes that the server has
	}{
		{
			name:         "one of many",
			contentRange: "bytes 0-4/*",
			wantStatus:   http.StatusPermanentRedirect,
			wantRange:    "bytes=0-4",
		},
		{
			name:         "one of many, of a client without redirects",
			contentRange: "bytes 5-9/*",
			no308:        "yes",
			wantStatus:   http.StatusOK,
			wantRange:    "bytes=0-9",
		},
		{name: "last", contentRange: "bytes 10-14/15", wantStatus: http.StatusOK},
		{name: "empty last", contentRange: "bytes */15", wantStatus: http.StatusOK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address := s.URL + "/upload/storage/v1/b/bucket/o?uploadType=resumable&upload_id=session"
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, address, strings.NewReader("chunk"))
			require.NoError(t, err)
			request.Header.Set("Content-Range", tt.contentRange)
			request.Header.Set("X-Guploader-No-308", tt.no308)

			// A RoundTripper follows no redirects.
			response, err := http.DefaultTransport.RoundTrip(request)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, tt.wantStatus, response.StatusCode)
			require.Equal(t, tt.wantRange, response.Header.Get("Range"))
		})
	}
}
