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

// In a bucket with folders, an upload in parts removes the folder that its parts needed.
// https://cloud.google.com/storage/docs/folders-overview.
func TestUploadLeavesNoFolder(t *testing.T) {
	text := strings.Repeat("x", 1<<20)
	for name, write := range map[string]func(bucket storage.Bucket) error{
		"parallel composite": func(bucket storage.Bucket) error {
			_, err := bucket.Upload(t.Context(), "a", strings.NewReader(text), storage.WithPartSize(256<<10))
			return err
		},
		"an open upload": func(bucket storage.Bucket) error {
			u, err := storage.BeginUpload(t.Context(), bucket, "a")
			require.NoError(t, err)
			_, err = u.PutPart(t.Context(), 1, strings.NewReader("x"))
			require.NoError(t, err)
			_, err = u.Complete(t.Context())
			return err
		},
		"an open upload that is aborted": func(bucket storage.Bucket) error {
			u, err := storage.BeginUpload(t.Context(), bucket, "a")
			require.NoError(t, err)
			return u.Abort(t.Context())
		},
		"a composition of many objects": func(bucket storage.Bucket) error {
			keys := make([]string, 33)
			for i := range keys {
				keys[i] = fmt.Sprintf("s%02d", i)
				_, err := bucket.Upload(t.Context(), keys[i], strings.NewReader("x"))
				require.NoError(t, err)
			}
			_, err := storage.Compose(t.Context(), bucket, "a", keys)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := startRuleServer(t)
			folders := map[string]bool{}
			bucket, err := gcs.Open(t.Context(), gcs.Config{
				Bucket:            server.bucket(ruleBucket{folders: folders}),
				Endpoint:          server.URL,
				ParallelComposite: true,
			})
			require.NoError(t, err)
			require.NoError(t, write(bucket))
			require.NoError(t, write(bucket))

			require.NoError(t, storage.Close(bucket))
			require.Equal(t, map[string]bool{".omnibucket./": true, ".omnibucket./parts/": true}, folders)
			layouts := 0
			for _, line := range server.requests() {
				if strings.HasSuffix(line, "/storageLayout") {
					layouts++
				}
			}
			require.Equal(t, 1, layouts)
		})
	}
}

// If the service is busy when an open upload ends, the driver retries the removal of its folder.
func TestFoldersRemovedFromBusyStore(t *testing.T) {
	server := startRuleServer(t)
	busy := map[string]bool{}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, part := range []string{"/storageLayout", "/folders/"} {
			if strings.Contains(r.URL.Path, part) && !busy[part] {
				busy[part] = true
				w.Header().Set("X-Guploader-Uploadid", "R1")
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
		}
		server.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	folders := map[string]bool{}
	bucket := openAt(t, front.URL, server.bucket(ruleBucket{folders: folders}))
	u, err := storage.BeginUpload(t.Context(), bucket, "a")
	require.NoError(t, err)
	_, err = u.PutPart(t.Context(), 1, strings.NewReader("x"))
	require.NoError(t, err)

	_, err = u.Complete(t.Context())
	require.NoError(t, err)
	require.Len(t, busy, 2)
	require.Equal(t, map[string]bool{".omnibucket./": true, ".omnibucket./parts/": true}, folders)
}
