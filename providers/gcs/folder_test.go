package gcs_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/gcs"
)

// sharedFolders are the folders that all uploads in parts share. They stay after an upload. Each
// upload makes one more folder, below them.
var sharedFolders = map[string]bool{".omnibucket./": true, ".omnibucket./parts/": true}

// In a bucket with folders, an upload in parts removes the folder that its parts needed. Only the
// first of two uploads asks whether the bucket has folders.
// https://cloud.google.com/storage/docs/folders-overview
func TestUploadLeavesNoFolder(t *testing.T) {
	tests := []struct {
		name   string
		upload func(t *testing.T, bucket storage.Bucket)
	}{
		{name: "parallel composite", upload: uploadFourParts},
		{name: "an open upload", upload: completeOpenUpload},
		{name: "an open upload that is aborted", upload: abortOpenUpload},
		{name: "a composition of many objects", upload: composeManyObjects},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The server keeps the current folders in this map.
			server := startRuleServer(t)
			folders := map[string]bool{}
			bucket, err := gcs.Open(t.Context(), gcs.Config{
				Bucket:            server.bucket(ruleBucket{folders: folders}),
				Endpoint:          server.URL,
				ParallelComposite: true,
			})
			require.NoError(t, err)

			// The second upload must not request the layout again.
			tt.upload(t, bucket)
			tt.upload(t, bucket)

			// Only the folders that all uploads share are left.
			require.NoError(t, storage.Close(bucket))
			require.Equal(t, sharedFolders, folders)

			layoutRequests := 0
			for _, line := range server.requests() {
				if strings.HasSuffix(line, "/storageLayout") {
					layoutRequests++
				}
			}
			require.Equal(t, 1, layoutRequests)
		})
	}
}

// uploadFourParts stores "a" by an upload in parts.
func uploadFourParts(t *testing.T, bucket storage.Bucket) {
	t.Helper()
	const partSize = 256 << 10
	body := strings.NewReader(strings.Repeat("x", 4*partSize))
	_, err := bucket.Upload(t.Context(), "a", body, storage.WithPartSize(partSize))
	require.NoError(t, err)
}

// completeOpenUpload stores "a" by an upload that the test begins and completes itself.
func completeOpenUpload(t *testing.T, bucket storage.Bucket) {
	t.Helper()
	u, err := storage.BeginUpload(t.Context(), bucket, "a")
	require.NoError(t, err)
	_, err = u.PutPart(t.Context(), 1, strings.NewReader("x"))
	require.NoError(t, err)
	_, err = u.Complete(t.Context())
	require.NoError(t, err)
}

// abortOpenUpload begins an upload and aborts it.
func abortOpenUpload(t *testing.T, bucket storage.Bucket) {
	t.Helper()
	u, err := storage.BeginUpload(t.Context(), bucket, "a")
	require.NoError(t, err)
	require.NoError(t, u.Abort(t.Context()))
}

// composeManyObjects composes more objects than one request can compose.
func composeManyObjects(t *testing.T, bucket storage.Bucket) {
	t.Helper()
	keys := make([]string, 33)
	for i := range keys {
		keys[i] = fmt.Sprintf("s%02d", i)
		_, err := bucket.Upload(t.Context(), keys[i], strings.NewReader("x"))
		require.NoError(t, err)
	}
	_, err := storage.Compose(t.Context(), bucket, "a", keys)
	require.NoError(t, err)
}

// If the service is busy when an open upload ends, the driver retries the removal of its folder.
func TestFoldersRemovedFromBusyStore(t *testing.T) {
	// The server front refuses the first request of each kind, and passes all other requests on.
	server := startRuleServer(t)
	refused := map[string]bool{} // by kind
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, kind := range []string{"/storageLayout", "/folders/"} {
			if strings.Contains(r.URL.Path, kind) && !refused[kind] {
				refused[kind] = true
				w.Header().Set("X-Guploader-Uploadid", "R1") // as Google, so that the driver retries
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
		}
		server.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)

	folders := map[string]bool{}
	bucket := openAt(t, front.URL, server.bucket(ruleBucket{folders: folders}))

	completeOpenUpload(t, bucket)
	require.Len(t, refused, 2, "both kinds were refused once")
	require.Equal(t, sharedFolders, folders)
}
