package uploads_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

// The code of a callback's error decides the HTTP status and Retry-After. The response hides the text of other
// errors than *uploads.Error.
func TestCodeOfApplicationErrors(t *testing.T) {
	busy := &storage.Error{Code: storage.RateLimited, RetryAfter: 7 * time.Second, Err: errors.New("the database is at 10.0.0.7")}
	saysNothing := &uploads.Error{}
	tests := []struct {
		err        error
		status     int
		code       string
		retryAfter string
	}{
		{err: storage.Unavailable, status: 503, code: "busy", retryAfter: "1"},
		{err: storage.RateLimited, status: 503, code: "busy", retryAfter: "1"},
		{err: busy, status: 503, code: "busy", retryAfter: "7"},
		{err: fmt.Errorf("users: %w", busy), status: 503, code: "busy", retryAfter: "7"},
		{err: storage.DeadlineExceeded, status: 503, code: "busy", retryAfter: "1"},
		{err: context.DeadlineExceeded, status: 503, code: "busy", retryAfter: "1"},
		{err: storage.Canceled, status: 503, code: "busy", retryAfter: "1"},
		{err: context.Canceled, status: 503, code: "busy", retryAfter: "1"},
		{err: storage.Unauthenticated, status: 401, code: "unauthenticated"},
		{err: storage.PermissionDenied, status: 403, code: "not_allowed"},
		{err: &uploads.Error{Code: "quota", Message: "Your room is full."}, status: 403, code: "quota"},
		{err: saysNothing, status: 403, code: "not_allowed"},
		{err: &uploads.Error{Code: "quota"}, status: 403, code: "quota"},
		{err: storage.ObjectNotFound, status: 500, code: "internal", retryAfter: "1"},
		{err: storage.BucketNotFound, status: 500, code: "internal", retryAfter: "1"},
		{err: storage.PreconditionFailed, status: 500, code: "internal", retryAfter: "1"},
		{err: storage.InvalidArgument, status: 500, code: "internal", retryAfter: "1"},
		{err: storage.TooLarge, status: 500, code: "internal", retryAfter: "1"},
		{err: storage.Locked, status: 500, code: "internal", retryAfter: "1"},
		{err: storage.Unsupported, status: 500, code: "internal", retryAfter: "1"},
		{err: storage.OutcomeUnknown, status: 500, code: "internal", retryAfter: "1"},
		{err: storage.Internal, status: 500, code: "internal", retryAfter: "1"},
		{err: errors.New("the database is at 10.0.0.7"), status: 500, code: "internal", retryAfter: "1"},
	}
	for _, tt := range tests {
		for function, config := range map[string]uploads.Config{
			"Stored":    {Stored: func(context.Context, *uploads.File) error { return tt.err }},
			"Inspect":   {Inspect: func(context.Context, *uploads.File, *storage.ReaderAt) error { return tt.err }},
			"Authorize": {Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{}, tt.err }},
		} {
			t.Run(fmt.Sprint(function, ": ", tt.err), func(t *testing.T) {
				if config.Authorize == nil {
					config.Authorize = byHeader
				}
				bucket := memstore.New()
				body, contentType := newForm(t, formFile{field: "photo", name: "a.png", contentType: "image/png", content: newPNG()})
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", body)
				r.Header.Set("Content-Type", contentType)
				r.Header.Set("User", "42")
				w := httptest.NewRecorder()
				newService(t, bucket, config).ServeHTTP(w, r)
				status := tt.status
				code := tt.code
				if errors.Is(tt.err, saysNothing) && function == "Inspect" {
					status = http.StatusUnprocessableEntity
					code = "refused"
				}

				require.Equal(t, status, w.Code, w.Body)
				require.Contains(t, w.Body.String(), `"code":"`+code+`"`)
				require.NotContains(t, w.Body.String(), `"message":""`)
				require.Equal(t, tt.retryAfter, w.Header().Get("Retry-After"))
				require.NotContains(t, w.Body.String(), "10.0.0.7")

				mayKnow := function == "Stored" && errors.Is(tt.err, storage.OutcomeUnknown) // then the file stays, as by Store
				require.Equal(t, mayKnow, len(listKeys(t, bucket)) > 0)
			})
		}
	}
}
