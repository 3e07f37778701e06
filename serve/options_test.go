package serve_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/serve"
)

// WithDownloadOptions refuses conditions. Object makes several requests for one response, so a condition could
// fail after the first bytes were sent.
func TestWithDownloadOptionsRefusesConditions(t *testing.T) {
	runOnBuckets(t, func(t *testing.T, b storage.Bucket, asked *calls) {
		old := put(t, b, "key", "before")
		current := put(t, b, "key", "0123456789")
		asked.take()
		for name, option := range map[string]storage.DownloadOption{
			"IfRevision of the current one":    storage.IfRevision(current.Revision),
			"IfRevision of another":            storage.IfRevision(old.Revision),
			"IfRevisionNot of the current one": storage.IfRevisionNot(current.Revision),
			"IfRevisionNot of another":         storage.IfRevisionNot(old.Revision),
		} {
			for _, span := range []string{"", "bytes=5-6", "bytes=5-6,0-1"} {
				t.Run(name+" "+span, func(t *testing.T) {
					var failure error
					opts := []serve.Option{
						serve.WithDownloadOptions(option),
						serve.WithErrorHandler(func(
							w http.ResponseWriter, _ *http.Request, status int, err error,
						) {
							failure = err
							w.WriteHeader(status)
						}),
					}
					for _, handler := range []http.Handler{
						http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							serve.Object(w, r, b, "key", opts...)
						}),
						serve.FileServer(b, opts...),
					} {
						got := recorded(http.MethodGet, map[string]string{"Range": span}, handler.ServeHTTP)
						require.Equal(t, http.StatusBadRequest, got.StatusCode)
						require.ErrorIs(t, failure, storage.InvalidArgument)
						require.Empty(t, asked.take(), "the store is not asked")
					}
				})
			}
		}
	})
}
