package azure

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

func newOpener(t *testing.T) wiretest.OpenWithClient {
	return func(root string, client *http.Client, opts ...storage.OpenOption) storage.Bucket {
		b, err := Open(t.Context(), Config{Bucket: "photos", Endpoint: root + "/" + testAccount, Key: testKey, HTTPClient: client}, opts...)
		require.NoError(t, err)
		return b
	}
}

// If a server never answers, every call still ends.
func TestSilentServer(t *testing.T) { wiretest.SilentServer(t, newOpener(t)) }

// Hooks count the same requests as the server.
func TestHooksCountRequests(t *testing.T) {
	wiretest.CountedRequests(t, newOpener(t))
}
