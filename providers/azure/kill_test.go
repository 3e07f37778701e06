package azure_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/providers/azure"
	"github.com/omnibucket/storage/providers/internal/testing/killtest"
)

// If a process is killed during CompleteParts, another process can complete the upload.
func TestCompletePartsKilled(t *testing.T) {
	emulator := needAzurite(t)
	container := emulator.container(t)

	// Completion kills a process before and after each request of its CompleteParts. It opens a bucket for each process.
	killtest.Completion(t, func(t *testing.T, client *http.Client) storage.Bucket {
		d, err := azure.NewDriver(t.Context(), azure.Config{
			Bucket:     container,
			Endpoint:   emulator.endpoint,
			HTTPClient: client,
		})
		require.NoError(t, err)
		bucket := engine.New(d, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
		t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })
		return bucket
	})
}
