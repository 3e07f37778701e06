package uploads_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

// However the path of a DELETE is written, it cannot name a file of another user.
func TestDeletePathOfOtherUsersFile(t *testing.T) {
	runOnBuckets(t, func(t *testing.T, bucket storage.Bucket) {
		s := newService(t, bucket, uploads.Config{Key: "users/{user}/{random}{ext}", Authorize: byHeader})

		// Alice has a file, which mallory tries to remove.
		f, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(newPNG()), User: uploads.User{ID: "alice"}})
		require.NoError(t, err)
		name := strings.TrimPrefix(f.Key, "users/alice/")

		// Each path is followed by the name of the file.
		paths := []string{
			"/users/alice/",
			"//users/alice/",
			"/./users/alice/",
			"/users/./alice/",
			"/users%2Falice/",
			"/users/Alice/",
			"/users/alice%00/",
			"/users/mallory/../alice/",
			"/users/mallory/%2e%2e/alice/",
			"/users/mallory%2F..%2Falice%2F",
			"/users/mallory%5C..%5Calice%5C",
			"/users/mallory/",
		}
		for _, path := range paths {
			r := httptest.NewRequest(http.MethodDelete, "/", nil)
			r.URL, err = url.Parse("http://site.example" + path + name)
			require.NoError(t, err)
			r.Header.Set("User", "mallory")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)

			exists, err := bucket.Exists(t.Context(), f.Key)
			require.NoError(t, err)
			require.True(t, exists, "%s: %d", path, w.Code)
		}

		// The user of the file can delete it.
		r := httptest.NewRequest(http.MethodDelete, "/"+f.Key, nil)
		r.Header.Set("User", "alice")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		require.Equal(t, http.StatusNoContent, w.Code)
	})
}
