package overlay_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
)

// Public objects of the old store are private after the move, until they are made public again
// (docs/moving-stores.md).
func TestPublicObjectsOfOldStoreArePrivate(t *testing.T) {
	const base = "http://files.test/"
	statusOf := func(b storage.Bucket) int {
		recorder := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, base+"a", nil)
		serve.NewHandler(b).ServeHTTP(recorder, req)
		return recorder.Code
	}

	old := memstore.New(storage.WithSigningBaseURL(base))
	_, err := old.Upload(t.Context(), "a", strings.NewReader("text"), storage.WithPublicRead())
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, statusOf(old))

	d := memstore.NewDriver(memstore.Config{})
	b := engine.New(d, storage.WithSigningBaseURL(base), driver.WithLayer(newLayer(t, old, overlay.Config{})))
	require.Equal(t, http.StatusForbidden, statusOf(b), "the object has not moved yet")

	_, err = overlay.Finish(t.Context(), b, overlay.FinishConfig{})
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, statusOf(b), "the object has moved")
	require.Equal(t, http.StatusOK, statusOf(old), "the old store still serves it")

	// A copy onto itself makes the object public again.
	_, err = storage.Copy(t.Context(), b, "a", b, "a", storage.WithPublicRead())
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, statusOf(b))
	withoutLayer := engine.New(d, storage.WithSigningBaseURL(base))
	require.Equal(t, http.StatusOK, statusOf(withoutLayer))
}
