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

// newForm returns the body of a form with one file, and its content type.
func newForm(t *testing.T) (body io.Reader, contentType string) {
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

// authorizeAlice authorizes each request as that of one user.
func authorizeAlice(*http.Request) (uploads.User, error) { return uploads.User{ID: "alice"}, nil }

// newFormUpload returns a handler of uploads and an upload by a form.
func newFormUpload(t *testing.T, b storage.Bucket) (http.Handler, *http.Request) {
	t.Helper()
	h, err := uploads.New(b, uploads.Config{
		Rules:     rules.Rules{Types: []string{"text/plain"}},
		Authorize: authorizeAlice,
	})
	require.NoError(t, err)
	body, contentType := newForm(t)
	r := httptest.NewRequest("POST", "/", body)
	r.Header.Set("Content-Type", contentType)
	return h, r
}

// newFilesRequest returns a handler of files and a request for one.
func newFilesRequest(t *testing.T, b storage.Bucket) (http.Handler, *http.Request) {
	t.Helper()
	s, err := uploads.New(b, uploads.Config{Records: uploads.BucketRecords(b)})
	require.NoError(t, err)
	h, err := filesapi.New(s, filesapi.Config{Authorize: authorizeAlice})
	require.NoError(t, err)
	return h, httptest.NewRequest("GET", "/files/"+uploads.NewID(time.Now()), nil)
}

// newTusUpload returns a handler of uploads and the creation of an upload by tus.
func newTusUpload(t *testing.T, b storage.Bucket) (http.Handler, *http.Request) {
	t.Helper()
	h, err := uploads.New(b, uploads.Config{
		Authorize: authorizeAlice,
		Begin: func(*http.Request, uploads.User, uploads.Request) (*uploads.Target, error) {
			return &uploads.Target{Key: "a"}, nil
		},
	})
	require.NoError(t, err)
	r := httptest.NewRequest("POST", "/tus/", nil)
	r.Header.Set("Tus-Resumable", "1.0.0")
	r.Header.Set("Upload-Length", "3")
	return h, r
}

// newFileRequest returns a file server and a request for a file.
func newFileRequest(_ *testing.T, b storage.Bucket) (http.Handler, *http.Request) {
	return serve.FileServer(b), httptest.NewRequest("GET", "/a", nil)
}

// If a busy store says when to try again, every handler passes that on as its Retry-After header.
func TestRetryAfterIsTheSameInEveryHandler(t *testing.T) {
	// With the layer busy, each call of the store fails.
	busyErr := &storage.Error{Code: storage.RateLimited, RetryAfter: 7 * time.Second}
	busy := func(next driver.Driver) driver.Driver {
		return driver.Intercept(next, func(context.Context, string, func(context.Context) error) error {
			return busyErr
		})
	}
	noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})

	tests := []struct {
		name   string
		open   func(t *testing.T, b storage.Bucket) (http.Handler, *http.Request) // a handler and a request to it
		status int
	}{
		{name: "uploads", open: newFormUpload, status: http.StatusServiceUnavailable},
		{name: "files", open: newFilesRequest, status: http.StatusServiceUnavailable},
		{name: "uploads by tus", open: newTusUpload, status: http.StatusServiceUnavailable},
		{name: "serve", open: newFileRequest, status: http.StatusTooManyRequests},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := engine.New(memstore.NewDriver(memstore.Config{}), driver.WithLayer(busy), noRetry)
			handler, request := tt.open(t, bucket)

			w := httptest.NewRecorder()
			handler.ServeHTTP(w, request)
			require.Equal(t, tt.status, w.Code, w.Body)
			require.Equal(t, "7", w.Header().Get("Retry-After"))
		})
	}
}
