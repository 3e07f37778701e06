package resumable_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/resumable"
	"github.com/omnibucket/storage/serve"
)

// An opener opens a new bucket, whose signed addresses work.
type opener func(t *testing.T) storage.Bucket

// onBuckets runs f on every kind of bucket.
func onBuckets(t *testing.T, f func(t *testing.T, open opener)) {
	t.Run("memory", func(t *testing.T) { f(t, inMemory) })
}

func inMemory(t *testing.T) storage.Bucket {
	return served(t, func(base string) (storage.Bucket, error) {
		return memstore.New(storage.WithSigningBaseURL(base)), nil
	})
}

func served(t *testing.T, open func(base string) (storage.Bucket, error)) storage.Bucket {
	t.Helper()
	server, err := serve.NewServer(open)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	return server.Bucket
}

// onSignedBuckets runs f on every kind of bucket that signs parts, and with parts that pass
// through the handler.
func onSignedBuckets(t *testing.T, f func(t *testing.T, open opener, c resumable.Config)) {
	t.Run("through the handler", func(t *testing.T) { f(t, inMemory, resumable.Config{ProxyParts: true}) })
}
