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
	for _, row := range []struct {
		err        error
		status     int
		code       string
		retryAfter string
	}{
		{storage.Unavailable, 503, "busy", "1"},
		{storage.RateLimited, 503, "busy", "1"},
		{busy, 503, "busy", "7"},
		{fmt.Errorf("users: %w", busy), 503, "busy", "7"},
		{storage.DeadlineExceeded, 503, "busy", "1"},
		{context.DeadlineExceeded, 503, "busy", "1"},
		{storage.Canceled, 503, "busy", "1"},
		{context.Canceled, 503, "busy", "1"},
		{storage.Unauthenticated, 401, "unauthenticated", ""},
		{storage.PermissionDenied, 403, "not_allowed", ""},
		{&uploads.Error{Code: "quota", Message: "Your room is full."}, 403, "quota", ""},
		{saysNothing, 403, "not_allowed", ""},
		{&uploads.Error{Code: "quota"}, 403, "quota", ""},
		{storage.ObjectNotFound, 500, "internal", "1"},
		{storage.BucketNotFound, 500, "internal", "1"},
		{storage.PreconditionFailed, 500, "internal", "1"},
		{storage.InvalidArgument, 500, "internal", "1"},
		{storage.TooLarge, 500, "internal", "1"},
		{storage.Locked, 500, "internal", "1"},
		{storage.Unsupported, 500, "internal", "1"},
		{storage.OutcomeUnknown, 500, "internal", "1"},
		{storage.Internal, 500, "internal", "1"},
		{errors.New("the database is at 10.0.0.7"), 500, "internal", "1"},
	} {
		for function, config := range map[string]uploads.Config{
			"Stored":    {Stored: func(context.Context, *uploads.File) error { return row.err }},
			"Inspect":   {Inspect: func(context.Context, *uploads.File, *storage.ReaderAt) error { return row.err }},
			"Authorize": {Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{}, row.err }},
		} {
			t.Run(fmt.Sprint(function, ": ", row.err), func(t *testing.T) {
				if config.Authorize == nil {
					config.Authorize = byHeader
				}
				bucket := memstore.New()
				body, contentType := formOf(t, formFile{"photo", "a.png", "image/png", aPNG()})
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", body)
				r.Header.Set("Content-Type", contentType)
				r.Header.Set("User", "42")
				w := httptest.NewRecorder()
				newService(t, bucket, config).ServeHTTP(w, r)
				status := row.status
				code := row.code
				if errors.Is(row.err, saysNothing) && function == "Inspect" {
					status = http.StatusUnprocessableEntity
					code = "refused"
				}
				require.Equal(t, status, w.Code, w.Body)
				require.Contains(t, w.Body.String(), `"code":"`+code+`"`)
				require.NotContains(t, w.Body.String(), `"message":""`)
				require.Equal(t, row.retryAfter, w.Header().Get("Retry-After"))
				require.NotContains(t, w.Body.String(), "10.0.0.7")
				mayKnow := function == "Stored" && errors.Is(row.err, storage.OutcomeUnknown) // then the file stays, as by Store
				require.Equal(t, mayKnow, len(keys(t, bucket)) > 0)
			})
		}
	}
}
