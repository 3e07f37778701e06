package serve_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
)

// presentationHeaders are the headers that say how to show and keep an object.
var presentationHeaders = []string{
	"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type",
}

// A 412 for a failed condition has none of the object's attributes. For example, a Cache-Control of
// the object could let a cache keep the 412.
func TestObjectPreconditionFails(t *testing.T) {
	opts := []storage.UploadOption{
		storage.WithCacheControl(forGood),
		storage.WithContentDisposition(`inline; filename="a"`),
		storage.WithContentEncoding("gzip"),
		storage.WithContentLanguage("de"),
		storage.WithContentType("text/html"),
	}
	conditions := []struct{ header, value string }{
		{header: "If-Match", value: `"another"`},
		{header: "If-Unmodified-Since", value: "Thu, 01 Jan 2015 00:00:00 GMT"},
	}

	for _, condition := range conditions {
		t.Run("Object, "+condition.header, func(t *testing.T) {
			b := memstore.New()
			attrs := put(t, b, "key", "data", opts...)
			header := map[string]string{condition.header: condition.value}
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				got := responseTo(method, header, func(w http.ResponseWriter, r *http.Request) {
					serve.Object(w, r, b, "key")
				})
				require.Equal(t, http.StatusPreconditionFailed, got.StatusCode)
				for _, name := range presentationHeaders {
					require.NotContains(t, got.Header, name)
				}
				require.Equal(t, attrs.ETag, got.Header.Get("Etag"))
				require.Empty(t, bodyOf(t, got))
			}
		})
		t.Run("NewHandler, "+condition.header, func(t *testing.T) {
			s := newSite(t)
			s.put("a", "data", opts...)

			w := s.request("GET", s.signDownload("a").URL, nil, condition.header, condition.value)
			s.requireRefusal(w, 412, "PreconditionFailed")
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))

			w = s.request("HEAD", s.signDownload("a").URL, nil, condition.header, condition.value)
			require.Equal(t, http.StatusPreconditionFailed, w.Code)
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			require.Empty(t, w.Body.String())
		})
	}
}
