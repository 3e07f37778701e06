package gcs_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/providers/gcs"
	"github.com/omnibucket/storage/providers/internal/testing/killtest"
)

// If a process is killed during CompleteParts, another process can complete the upload.
func TestCompletePartsKilled(t *testing.T) {
	server := startRuleServer(t)
	bucket := server.bucket(ruleBucket{})

	// CompletionOnPipes kills a process at each request of its CompleteParts, and then completes the upload by another
	// process. Each process opens the bucket by this function.
	killtest.CompletionOnPipes(t, server, func(t *testing.T, client *http.Client) storage.Bucket {
		d, err := gcs.NewDriver(t.Context(), gcs.Config{
			Bucket:      bucket,
			Endpoint:    server.URL,
			HTTPClient:  client,
			TokenSource: hostileToken,
		})
		require.NoError(t, err)
		b := engine.New(d, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
		t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
		return b
	})
}
