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

// The code of a callback's error decides the status and the Retry-After of the response. If the
// error is not an *uploads.Error, the response hides its text.
func TestCodeOfApplicationErrors(t *testing.T) {
	const secret = "10.0.0.7" // a part of the text
	withSecret := errors.New("the database is at " + secret)
	retryLater := &storage.Error{Code: storage.RateLimited, RetryAfter: 7 * time.Second, Err: withSecret}
	tests := []struct {
		err            error
		wantStatus     int
		wantCode       string
		wantRetryAfter string
	}{
		{err: storage.Unavailable, wantStatus: 503, wantCode: "busy", wantRetryAfter: "1"},
		{err: storage.RateLimited, wantStatus: 503, wantCode: "busy", wantRetryAfter: "1"},
		{err: retryLater, wantStatus: 503, wantCode: "busy", wantRetryAfter: "7"},
		{err: fmt.Errorf("users: %w", retryLater), wantStatus: 503, wantCode: "busy", wantRetryAfter: "7"},
		{err: storage.DeadlineExceeded, wantStatus: 503, wantCode: "busy", wantRetryAfter: "1"},
		{err: context.DeadlineExceeded, wantStatus: 503, wantCode: "busy", wantRetryAfter: "1"},
		{err: storage.Canceled, wantStatus: 503, wantCode: "busy", wantRetryAfter: "1"},
		{err: context.Canceled, wantStatus: 503, wantCode: "busy", wantRetryAfter: "1"},
		{err: storage.Unauthenticated, wantStatus: 401, wantCode: "unauthenticated"},
		{err: storage.PermissionDenied, wantStatus: 403, wantCode: "not_allowed"},
		{err: &uploads.Error{Code: "quota", Message: "Your room is full."}, wantStatus: 403, wantCode: "quota"},
		{err: &uploads.Error{Code: "quota"}, wantStatus: 403, wantCode: "quota"},
		{err: storage.ObjectNotFound, wantStatus: 500, wantCode: "internal", wantRetryAfter: "1"},
		{err: storage.BucketNotFound, wantStatus: 500, wantCode: "internal", wantRetryAfter: "1"},
		{err: storage.PreconditionFailed, wantStatus: 500, wantCode: "internal", wantRetryAfter: "1"},
		{err: storage.InvalidArgument, wantStatus: 500, wantCode: "internal", wantRetryAfter: "1"},
		{err: storage.TooLarge, wantStatus: 500, wantCode: "internal", wantRetryAfter: "1"},
		{err: storage.Locked, wantStatus: 500, wantCode: "internal", wantRetryAfter: "1"},
		{err: storage.Unsupported, wantStatus: 500, wantCode: "internal", wantRetryAfter: "1"},
		{err: storage.OutcomeUnknown, wantStatus: 500, wantCode: "internal", wantRetryAfter: "1"},
		{err: storage.Internal, wantStatus: 500, wantCode: "internal", wantRetryAfter: "1"},
		{err: withSecret, wantStatus: 500, wantCode: "internal", wantRetryAfter: "1"},
	}
	for _, tt := range tests {
		for callback, config := range configsThatFail(tt.err) {
			t.Run(fmt.Sprint(callback, ": ", tt.err), func(t *testing.T) {
				bucket := memstore.New()
				w := sendPhoto(t, newService(t, bucket, config))
				require.Equal(t, tt.wantStatus, w.Code, w.Body)
				require.Contains(t, w.Body.String(), `"code":"`+tt.wantCode+`"`)
				require.NotContains(t, w.Body.String(), `"message":""`)
				require.Equal(t, tt.wantRetryAfter, w.Header().Get("Retry-After"))
				require.NotContains(t, w.Body.String(), secret)

				// If nobody knows whether Stored has saved a link to the file, the file stays.
				isFileKept := callback == "Stored" && errors.Is(tt.err, storage.OutcomeUnknown)
				require.Equal(t, isFileKept, len(listKeys(t, bucket)) > 0)
			})
		}
	}
}

// If a callback returns an empty *uploads.Error, its code is "refused" for Inspect, and
// "not_allowed" for any other callback.
func TestCodeOfEmptyApplicationError(t *testing.T) {
	want := map[string]struct {
		status int
		code   string
	}{
		"Stored":    {status: http.StatusForbidden, code: "not_allowed"},
		"Inspect":   {status: http.StatusUnprocessableEntity, code: "refused"},
		"Authorize": {status: http.StatusForbidden, code: "not_allowed"},
	}
	for callback, config := range configsThatFail(&uploads.Error{}) {
		t.Run(callback, func(t *testing.T) {
			bucket := memstore.New()
			w := sendPhoto(t, newService(t, bucket, config))
			require.Equal(t, want[callback].status, w.Code, w.Body)
			require.Contains(t, w.Body.String(), `"code":"`+want[callback].code+`"`)
			require.NotContains(t, w.Body.String(), `"message":""`)
			require.Empty(t, w.Header().Get("Retry-After"))
			require.Empty(t, listKeys(t, bucket))
		})
	}
}

// configsThatFail returns Configs by the name of a callback. In each Config, the callback of that
// name fails with err.
func configsThatFail(err error) map[string]uploads.Config {
	return map[string]uploads.Config{
		"Stored": {
			Authorize: byHeader,
			Stored:    func(context.Context, *uploads.File) error { return err },
		},
		"Inspect": {
			Authorize: byHeader,
			Inspect:   func(context.Context, *uploads.File, *storage.ReaderAt) error { return err },
		},
		"Authorize": {
			Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{}, err },
		},
	}
}

// sendPhoto sends a picture in a form as user 42, and returns the response.
func sendPhoto(t *testing.T, s *uploads.Service) *httptest.ResponseRecorder {
	t.Helper()
	photo := formFile{field: "photo", name: "a.png", contentType: "image/png", content: newPNG()}
	body, contentType := newForm(t, photo)
	return request(s, http.MethodPost, "/", body.String(), "Content-Type", contentType, "User", "42")
}
