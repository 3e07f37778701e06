package webserver_test

import (
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
	"github.com/omnibucket/storage/uploads/rules"
)

// form is a form with one file.
func form(t *testing.T) (body io.Reader, contentType string) {
	t.Helper()
	var text strings.Builder
	w := multipart.NewWriter(&text)
	part, err := w.CreateFormFile("file", "a.txt")
	require.NoError(t, err)
	_, err = io.WriteString(part, "some text\n")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return strings.NewReader(text.String()), w.FormDataContentType()
}

// If a store is busy, every handler returns its Retry-After header.
func TestRetryAfterIsTheSameInEveryHandler(t *testing.T) {
	user := func(*http.Request) (uploads.User, error) { return uploads.User{ID: "alice"}, nil }
	tests := []struct {
		name   string
		status int
		open   func(t *testing.T, b storage.Bucket) (http.Handler, *http.Request)
	}{
		{"uploads", http.StatusServiceUnavailable, func(t *testing.T, b storage.Bucket) (http.Handler, *http.Request) {
			s, err := uploads.New(b, uploads.Config{Rules: rules.Rules{Types: []string{"text/plain"}}, Authorize: user})
			require.NoError(t, err)
			body, contentType := form(t)
			r := httptest.NewRequest("POST", "/", body)
			r.Header.Set("Content-Type", contentType)
			return s, r
		}},
		{"files", http.StatusServiceUnavailable, func(t *testing.T, b storage.Bucket) (http.Handler, *http.Request) {
			s, err := uploads.New(b, uploads.Config{Records: uploads.BucketRecords(b)})
			require.NoError(t, err)
			h, err := filesapi.New(s, filesapi.Config{Authorize: user})
			require.NoError(t, err)
			return h, httptest.NewRequest("GET", "/files/"+uploads.NewID(time.Now()), nil)
		}},
		{"uploads by tus", http.StatusServiceUnavailable, func(t *testing.T, b storage.Bucket) (http.Handler, *http.Request) {
			h, err := uploads.New(b, uploads.Config{
				Authorize: user,
				Begin: func(*http.Request, uploads.User, uploads.Request) (*uploads.Target, error) {
					return &uploads.Target{Key: "a"}, nil
				},
			})
			require.NoError(t, err)
			r := httptest.NewRequest("POST", "/tus/", nil)
			r.Header.Set("Tus-Resumable", "1.0.0")
			r.Header.Set("Upload-Length", "3")
			return h, r
		}},
		{"serve", http.StatusTooManyRequests, func(_ *testing.T, b storage.Bucket) (http.Handler, *http.Request) {
			return serve.FileServer(b), httptest.NewRequest("GET", "/a", nil)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			busy := func(next driver.Driver) driver.Driver {
				return driver.Intercept(next, func(context.Context, string, func(context.Context) error) error {
					return &storage.Error{Code: storage.RateLimited, RetryAfter: 7 * time.Second}
				})
			}
			h, r := tt.open(t, engine.New(memstore.NewDriver(memstore.Config{}), driver.WithLayer(busy), storage.WithRetry(storage.RetryPolicy{Attempts: 1})))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Equal(t, tt.status, w.Code, w.Body)
			require.Equal(t, "7", w.Header().Get("Retry-After"))
		})
	}
}
