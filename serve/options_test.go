package serve_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/serve"
)

// WithDownloadOptions refuses conditions, because they could fail after Object has sent the first
// bytes of a response.
func TestWithDownloadOptionsRefusesConditions(t *testing.T) {
	runOnBuckets(t, func(t *testing.T, b storage.Bucket, driverCalls *calls) {
		old := put(t, b, "key", "before")
		current := put(t, b, "key", "0123456789")
		driverCalls.drain()

		tests := []struct {
			name   string
			option storage.DownloadOption
		}{
			{name: "IfRevision of the current one", option: storage.IfRevision(current.Revision)},
			{name: "IfRevision of another", option: storage.IfRevision(old.Revision)},
			{name: "IfRevisionNot of the current one", option: storage.IfRevisionNot(current.Revision)},
			{name: "IfRevisionNot of another", option: storage.IfRevisionNot(old.Revision)},
		}
		for _, tt := range tests {
			for _, span := range []string{"", "bytes=5-6", "bytes=5-6,0-1"} {
				t.Run(tt.name+" "+span, func(t *testing.T) {
					var failure error
					opts := []serve.Option{
						serve.WithDownloadOptions(tt.option),
						serve.WithErrorHandler(func(w http.ResponseWriter, _ *http.Request, status int, err error) {
							failure = err
							w.WriteHeader(status)
						}),
					}

					// Neither handler asks the store before it refuses the option.
					for _, handler := range []http.Handler{
						http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							serve.Object(w, r, b, "key", opts...)
						}),
						serve.FileServer(b, opts...),
					} {
						got := responseTo(http.MethodGet, map[string]string{"Range": span}, handler.ServeHTTP)
						require.Equal(t, http.StatusBadRequest, got.StatusCode)
						require.ErrorIs(t, failure, storage.InvalidArgument)
						require.Empty(t, driverCalls.drain())
					}
				})
			}
		}
	})
}
