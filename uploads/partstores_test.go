package uploads_test

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/freshbucket"
	"github.com/omnibucket/storage/internal/testing/signingkey"
	"github.com/omnibucket/storage/internal/testing/testserver"
	_ "github.com/omnibucket/storage/providers/azure"
	_ "github.com/omnibucket/storage/providers/gcs"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/uploads"
)

// A partStore is a bucket whose signed parts work.
type partStore struct {
	bucket storage.Bucket
	part   int64 // bytes of a part
}

// onPartStores runs f on every kind of bucket. "make test" starts the servers.
func onPartStores(t *testing.T, f func(t *testing.T, b partStore)) {
	t.Run("memory", func(t *testing.T) { f(t, partStore{inMemory(t), smallPart}) })
	t.Run("local", func(t *testing.T) {
		b := served(t, func(base string) (storage.Bucket, error) {
			return local.Open(t.TempDir(), local.Config{NoSync: true}, storage.WithSigningBaseURL(base))
		})
		f(t, partStore{b, smallPart})
	})
	t.Run("minio", func(t *testing.T) { f(t, partStore{onMinIO(t), 5 << 20}) })
	t.Run("gcs", func(t *testing.T) { f(t, partStore{onGCS(t), smallPart}) })
	t.Run("azurite", func(t *testing.T) { f(t, partStore{onAzurite(t), smallPart}) })
}

const smallPart = 1 << 10

func onGCS(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	endpoint := testserver.Need(t, "OMNIBUCKET_TEST_GCS")
	key := filepath.Join(t.TempDir(), "key.json")
	require.NoError(t, os.WriteFile(key, signingkey.File(), 0o600))
	return freshbucket.Open(t, "gs", url.Values{"project": {"project"}, "signing_key": {key}, "endpoint": {endpoint}}, opts...)
}

func onAzurite(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	endpoint := testserver.Need(t, "OMNIBUCKET_TEST_AZURITE")
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "")
	t.Setenv("AZURE_STORAGE_ACCOUNT", os.Getenv("OMNIBUCKET_TEST_AZURITE_ACCOUNT"))
	t.Setenv("AZURE_STORAGE_KEY", os.Getenv("OMNIBUCKET_TEST_AZURITE_KEY"))
	return freshbucket.Open(t, "azblob", url.Values{"endpoint": {endpoint}}, opts...)
}

// inParts returns a service whose signed uploads are all in parts.
func (b partStore) inParts(t *testing.T, c uploads.Config) *uploads.Service {
	t.Helper()
	if c.PartsFrom == 0 {
		c.PartsFrom = 1
	}
	if c.Rules.MaxSize == 0 {
		c.Rules.MaxSize = 1 << 30
	}
	s := newService(t, b.bucket, c)
	s.SetBasePart(b.part)
	return s
}

// empty checks that nothing is left in the bucket.
func (b partStore) empty(t *testing.T) {
	t.Helper()
	require.Empty(t, keys(t, b.bucket))
	b.noUploads(t)
}

// noUploads checks that the store has no upload in progress. MinIO lists none.
func (b partStore) noUploads(t *testing.T) {
	t.Helper()
	if !storage.Supports(b.bucket, storage.ListedUploads) {
		return
	}
	for entry, err := range storage.ListUploads(t.Context(), b.bucket) {
		require.NoError(t, err)
		require.Fail(t, "an upload is left", entry.Key)
	}
}
