package filesapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// If a refused client keeps sending slowly, the connection is cut off.
func TestRefusalOfSlowClient(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	handler, err := filesapi.Handler(f.store, filesapi.HandlerConfig{
		Authorize: func(*http.Request) (string, error) { return "", storage.Unauthenticated },
	})
	require.NoError(t, err)
	wiretest.RefusesSlowBody(t, handler, "/files")
}
