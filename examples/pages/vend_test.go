package pages

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/vended"
	"github.com/omnibucket/storage/memstore"
)

// The catalog gives each user credentials for a folder of their own. With them, the user can read and write there, but
// can remove nothing, and cannot read the folder of another user. A client that has not logged in gets none.
func TestCatalogOfAUser(t *testing.T) {
	store := memstore.NewDriver(memstore.Config{})
	bucket := engine.New(store)
	put(t, bucket, "users/2/secret", "of another user")

	// The program knows its users by a parameter of the request.
	server := httptest.NewServer(catalog(bucket, func(r *http.Request) (string, error) {
		if r.URL.Query().Get("user") == "" {
			return "", errors.New("nobody")
		}
		return r.URL.Query().Get("user"), nil
	}))
	t.Cleanup(server.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)

	// The client of user 1 opens the same store with credentials of the catalog.
	client := engine.New(store, driver.WithLayer(vended.New(askAt(server.URL+"?user=1"))))
	_, err := client.Upload(t.Context(), "users/1/a", strings.NewReader("own"))
	require.NoError(t, err)
	text, _, err := storage.ReadAll(t.Context(), client, "users/1/a")
	require.NoError(t, err)
	require.Equal(t, "own", string(text))

	_, err = client.Attrs(t.Context(), "users/2/secret")
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.ErrorIs(t, client.Remove(t.Context(), "users/1/a"), storage.PermissionDenied)

	// A client without a user gets no credentials.
	stranger := engine.New(store, driver.WithLayer(vended.New(askAt(server.URL))))
	_, err = stranger.Attrs(t.Context(), "users/1/a")
	require.ErrorIs(t, err, storage.Unauthenticated)
	require.ErrorContains(t, err, "401")
}
