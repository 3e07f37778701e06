package serve_test

import (
	"bytes"
	"context"
	"errors"
	"io"
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
)

// newFailingDownloader returns a Downloader whose downloads fail with err.
func newFailingDownloader(err error) downloading {
	return func(context.Context, string, ...storage.DownloadOption) (*storage.Reader, error) {
		return nil, err
	}
}

// Object responds with the HTTP status of an error's code, and reveals nothing else of the error.
func TestObjectErrorStatus(t *testing.T) {
	tests := []struct {
		code       storage.Code
		wantStatus int
	}{
		{code: storage.ObjectNotFound, wantStatus: http.StatusNotFound},
		{code: storage.InvalidArgument, wantStatus: http.StatusBadRequest},
		{code: storage.PermissionDenied, wantStatus: http.StatusForbidden},
		{code: storage.NotPublic, wantStatus: http.StatusForbidden},
		{code: storage.Archived, wantStatus: http.StatusForbidden},
		{code: storage.PreconditionFailed, wantStatus: http.StatusPreconditionFailed},
		{code: storage.RangeNotSatisfiable, wantStatus: http.StatusRequestedRangeNotSatisfiable},
		{code: storage.RateLimited, wantStatus: http.StatusTooManyRequests},
		{code: storage.Unavailable, wantStatus: http.StatusServiceUnavailable},
		{code: storage.Changed, wantStatus: http.StatusServiceUnavailable},
		{code: storage.Canceled, wantStatus: http.StatusServiceUnavailable},
		{code: storage.DeadlineExceeded, wantStatus: http.StatusGatewayTimeout},
		{code: storage.Unauthenticated, wantStatus: http.StatusInternalServerError},
		{code: storage.BucketNotFound, wantStatus: http.StatusInternalServerError},
		{code: storage.Unsupported, wantStatus: http.StatusInternalServerError},
		{code: storage.Internal, wantStatus: http.StatusInternalServerError},
	}
	for _, tt := range tests {
		t.Run(string(tt.code), func(t *testing.T) {
			err := &storage.Error{
				Code:   tt.code,
				Bucket: "secret-bucket",
				Key:    "secret-key",
				Hint:   "secret hint",
				Err:    errors.New("secret cause"),
			}

			// The caller has set headers for the object. An error response must not have them.
			got := responseTo(http.MethodGet, nil, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Cache-Control", "max-age=3600")
				w.Header().Set("Content-Disposition", "attachment")
				serve.Object(w, r, newFailingDownloader(err), "key")
			})
			require.Equal(t, tt.wantStatus, got.StatusCode)
			require.Equal(t, "text/plain; charset=utf-8", got.Header.Get("Content-Type"))
			require.Empty(t, got.Header.Get("Cache-Control"))
			require.Empty(t, got.Header.Get("Content-Disposition"))

			body := bodyOf(t, got)
			require.NotEmpty(t, body)
			require.NotContains(t, body, "secret")
		})
	}

	// An error of another package counts as internal.
	t.Run("an error without a code", func(t *testing.T) {
		got := responseTo(http.MethodGet, nil, func(w http.ResponseWriter, r *http.Request) {
			serve.Object(w, r, newFailingDownloader(io.ErrUnexpectedEOF), "key")
		})
		require.Equal(t, http.StatusInternalServerError, got.StatusCode)
	})
}

// If a key is invalid for every store, Object responds with 400 and does not call the store.
func TestObjectInvalidKey(t *testing.T) {
	runOnBuckets(t, func(t *testing.T, b storage.Bucket, driverCalls *calls) {
		for _, key := range []string{"", "..", "a/../b", "\xff", strings.Repeat("k", 1025)} {
			got := responseTo(http.MethodGet, nil, func(w http.ResponseWriter, r *http.Request) {
				serve.Object(w, r, b, key)
			})
			require.Equal(t, http.StatusBadRequest, got.StatusCode, "%q", key)
		}
		require.Empty(t, driverCalls.drain())
	})
}

// If a storage.Error has a RetryAfter, Object sends it as the header Retry-After.
func TestObjectPassesOnRetryAfter(t *testing.T) {
	err := &storage.Error{Code: storage.RateLimited, RetryAfter: 1500 * time.Millisecond}
	got := responseTo(http.MethodGet, nil, func(w http.ResponseWriter, r *http.Request) {
		serve.Object(w, r, newFailingDownloader(err), "key")
	})
	require.Equal(t, "2", got.Header.Get("Retry-After"))
}

// If Object fails, the function of WithErrorHandler gets the status and the error, and writes the
// response. A failed condition does not lead to a call of this function.
func TestErrorHandler(t *testing.T) {
	b := memstore.New()
	attrs := put(t, b, "key", "data")

	// handle serves an object. If this fails, it stores what the error handler gets, and responds
	// with the status 418 instead.
	var status int
	var failure error
	handle := func(key string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			status = 0
			failure = nil
			serve.Object(w, r, b, key, serve.WithErrorHandler(func(
				w http.ResponseWriter, _ *http.Request, s int, err error,
			) {
				status = s
				failure = err
				w.WriteHeader(http.StatusTeapot)
			}))
		}
	}

	t.Run("an object that is missing", func(t *testing.T) {
		got := responseTo(http.MethodGet, nil, handle("missing"))
		require.Equal(t, http.StatusTeapot, got.StatusCode)
		require.Equal(t, http.StatusNotFound, status)
		require.ErrorIs(t, failure, storage.ObjectNotFound)
	})

	t.Run("a range that cannot be satisfied", func(t *testing.T) {
		got := responseTo(http.MethodGet, map[string]string{"Range": "bytes=100-"}, handle("key"))
		require.Equal(t, http.StatusTeapot, got.StatusCode)
		require.Equal(t, http.StatusRequestedRangeNotSatisfiable, status)
		require.ErrorIs(t, failure, storage.RangeNotSatisfiable)
		require.Equal(t, "bytes */4", got.Header.Get("Content-Range"))
	})

	t.Run("conditions that fail", func(t *testing.T) {
		got := responseTo(http.MethodGet, map[string]string{"If-None-Match": attrs.ETag}, handle("key"))
		require.Equal(t, http.StatusNotModified, got.StatusCode)
		got = responseTo(http.MethodGet, map[string]string{"If-Match": `"another"`}, handle("key"))
		require.Equal(t, http.StatusPreconditionFailed, got.StatusCode)
		require.NoError(t, failure)
	})
}

// damaged is a store whose bytes change.
type damaged struct{ driver.Driver }

// Get changes one bit in the middle of the object.
func (d damaged) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := d.Driver.Get(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	data[len(data)/2] ^= 1
	changedBody := struct {
		*bytes.Reader
		io.Closer
	}{
		Reader: bytes.NewReader(data),
		Closer: io.NopCloser(nil),
	}
	return attrs, changedBody, err
}

// If a download fails halfway, the response ends early. So the client sees that the response is
// incomplete.
func TestObjectFailsHalfway(t *testing.T) {
	// Each read of these objects has one wrong bit. The checksum shows this at the end.
	damage := func(d driver.Driver) driver.Driver {
		return damaged{Driver: d}
	}
	corrupt := engine.New(memstore.NewDriver(memstore.Config{}), driver.WithLayer(damage))
	put(t, corrupt, "byte", "x")
	put(t, corrupt, "kilobyte", strings.Repeat("x", 1<<10))
	put(t, corrupt, "megabyte", strings.Repeat("x", 1<<20))

	// The bodies of these objects have only half of their bytes. One body ends with an error, and
	// the other without an error.
	const size = 100_000
	half := strings.Repeat("x", size/2)
	broken := newDownloader(storage.Attrs{Size: size}, func() io.Reader {
		return io.MultiReader(strings.NewReader(half), errorReader{err: errors.New("broken")})
	})
	early := newDownloader(storage.Attrs{Size: size}, func() io.Reader {
		return strings.NewReader(half)
	})

	tests := []struct {
		name     string
		source   storage.Downloader
		key      string
		span     string // Range
		encoding string // Content-Encoding of the caller, without which the response has a Content-Length
	}{
		{name: "one damaged byte", key: "byte", source: corrupt},
		{name: "a damaged kilobyte", key: "kilobyte", source: corrupt},
		{name: "a damaged megabyte", key: "megabyte", source: corrupt},
		{name: "the reader fails", source: broken},
		{name: "the reader fails in a range", source: broken, span: "bytes=1-80000"},
		{name: "the reader fails in one of several ranges", source: broken, span: "bytes=0-9,100-80000"},
		{name: "the reader ends early", source: early},
		{name: "the reader ends early in a range", source: early, span: "bytes=0-80000"},
		{name: "the reader fails, without Content-Length", source: broken, encoding: "br"},
		{name: "the reader ends early, without Content-Length", source: early, encoding: "br"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tt.encoding != "" {
					w.Header().Set("Content-Encoding", tt.encoding)
				}
				serve.Object(w, r, tt.source, tt.key)
			}))
			defer server.Close()

			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
			require.NoError(t, err)
			if tt.span != "" {
				r.Header.Set("Range", tt.span)
			}

			// If the response is short, the request may fail as a whole, before the body is read.
			response, err := client.Do(r)
			if err == nil {
				_, err = io.Copy(io.Discard, response.Body)
				require.NoError(t, response.Body.Close())
			}

			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		})
	}
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }
