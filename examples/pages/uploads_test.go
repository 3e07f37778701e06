package pages

import (
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

func eva(*http.Request) (uploads.User, error) { return uploads.User{ID: "eva"}, nil }

// films accepts a file by its content, whatever its name is.
func TestFilmsAreJudgedByContent(t *testing.T) {
	const startOfVideo = "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42mp41"
	tests := []struct {
		name, content   string
		wantStatus      int
		wantStoredFiles int
	}{
		{name: "video", content: startOfVideo, wantStatus: http.StatusCreated, wantStoredFiles: 1},
		{
			name:            "web page named film.mp4",
			content:         "<!doctype html><script>alert(1)</script>",
			wantStatus:      http.StatusUnsupportedMediaType,
			wantStoredFiles: 0,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New()
			service, err := films(bucket, eva)
			require.NoError(t, err)

			// A browser sends the file in a form.
			var form bytes.Buffer
			w := multipart.NewWriter(&form)
			part, err := w.CreateFormFile("film", "film.mp4")
			require.NoError(t, err)
			_, err = io.WriteString(part, tt.content)
			require.NoError(t, err)
			require.NoError(t, w.Close())
			r := httptest.NewRequest(http.MethodPost, "/", &form)
			r.Header.Set("Content-Type", w.FormDataContentType())
			response := httptest.NewRecorder()

			service.ServeHTTP(response, r)
			require.Equal(t, tt.wantStatus, response.Code, response.Body)
			require.Len(t, keys(t, bucket), tt.wantStoredFiles)
		})
	}
}

// tidy removes shared files after a day, and leaves the files of users.
func TestSharedFilesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := memstore.New()
		service, err := films(bucket, eva)
		require.NoError(t, err)
		put(t, bucket, "shared/a", "gone tomorrow")
		put(t, bucket, "users/eva/b", "kept")

		const longerThanADay = 26 * time.Hour
		ctx, cancel := context.WithTimeout(t.Context(), longerThanADay)
		defer cancel()
		require.ErrorIs(t, tidy(ctx, bucket, service), context.DeadlineExceeded)
		require.NotContains(t, keys(t, bucket), "shared/a")
		require.Contains(t, keys(t, bucket), "users/eva/b")
	})
}

// download redirects the user eva only to a signed URL of her own files.
func TestUsersDownloadOnlyTheirFiles(t *testing.T) {
	bucket := memstore.New(storage.WithSigningBaseURL("https://files.example"))
	for key, status := range map[string]int{
		"users/eva/a.png":    http.StatusSeeOther,
		"users/eva2/a.png":   http.StatusNotFound,
		"users/adam/a.png":   http.StatusNotFound,
		".uploads/eva/state": http.StatusNotFound,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.SetPathValue("key", key)
		w := httptest.NewRecorder()
		download(w, r, bucket, uploads.User{ID: "eva"})
		require.Equal(t, status, w.Code, key)
	}
}

// keys returns the keys of a bucket.
func keys(t *testing.T, bucket storage.Lister) []string {
	t.Helper()
	var all []string
	for entry, err := range bucket.List(t.Context()) {
		require.NoError(t, err)
		all = append(all, entry.Key)
	}
	return all
}

// While the scanner is down, the service refuses files.
func TestScannerDownKeepsNoFiles(t *testing.T) {
	config, err := scanned(uploads.Config{Rules: rules.Any(1 << 20)}, "unix:///no/such/socket")
	require.NoError(t, err)
	bucket := memstore.New()
	service, err := uploads.New(bucket, config)
	require.NoError(t, err)

	_, err = service.Store(t.Context(), uploads.Upload{Body: strings.NewReader("content")})
	require.Equal(t, uploads.Busy, uploads.CodeOf(err), "%v", err)
	require.Empty(t, keys(t, bucket))
}
