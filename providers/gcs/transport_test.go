package gcs

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// newOpener returns a function that opens the bucket "photos" of a server with the given HTTP client.
func newOpener(t *testing.T) wiretest.OpenWithClient {
	return func(root string, client *http.Client, opts ...storage.OpenOption) storage.Bucket {
		bucket, err := Open(t.Context(), Config{
			Bucket:     "photos",
			Endpoint:   root,
			HTTPClient: client,
		}, opts...)
		require.NoError(t, err)
		return bucket
	}
}

// If a server never answers, every call still ends.
func TestSilentServer(t *testing.T) { wiretest.SilentServer(t, newOpener(t)) }

// Hooks count the same requests as the server.
func TestHooksCountRequests(t *testing.T) {
	wiretest.CountedRequests(t, newOpener(t))
}
