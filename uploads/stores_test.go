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
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/uploads"
)

// An opener opens a new bucket, whose signed URLs work.
type opener func(t *testing.T, opts ...storage.OpenOption) storage.Bucket

type backend struct {
	name  string
	open  opener
	etags bool // it answers a signed part with an ETag, and checks its sum (fake-gcs-server does not; Google does)
}

// furtherBackends are stores whose SDK the tests have only with the tag omnibucket_sdks.
var furtherBackends []backend

// backends are the stores. "make test-all" starts the servers.
var backends = []backend{
	{name: "memory", open: openMemory, etags: true},
	{name: "local", open: openDirectory, etags: true},
	{name: "minio", open: openMinIO, etags: true},
	{name: "gcs", open: openGCS, etags: false},
	{name: "azurite", open: openAzurite, etags: true},
}

// runOnStores runs f on every kind of bucket.
func runOnStores(t *testing.T, f func(t *testing.T, open opener)) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			f(t, b.open)
		})
	}
}

// runOnSignedBuckets runs f on every kind of bucket. Parts go directly to the store if the emulator answers them as the
// real store does. Then it runs f with parts that go through the handler.
func runOnSignedBuckets(t *testing.T, f func(t *testing.T, open opener, c uploads.Config)) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			f(t, b.open, uploads.Config{ProxyParts: !b.etags})
		})
	}
	t.Run("memory through the handler", func(t *testing.T) {
		f(t, openMemory, uploads.Config{ProxyParts: true})
	})
}

func openDirectory(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
	return serveBucket(t, func(base string) (storage.Bucket, error) {
		return local.Open(t.TempDir(), local.Config{NoSync: true}, append(opts, storage.WithSigningBaseURL(base))...)
	})
}

// openMinIO opens a bucket of MinIO, which is new for the test.
func openMinIO(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
	endpoint := testserver.Need(t, "OMNIBUCKET_TEST_MINIO")
	t.Setenv("AWS_ACCESS_KEY_ID", os.Getenv("OMNIBUCKET_TEST_MINIO_KEY"))
	t.Setenv("AWS_SECRET_ACCESS_KEY", os.Getenv("OMNIBUCKET_TEST_MINIO_SECRET"))
	config := url.Values{
		"region":     {"us-east-1"},
		"path_style": {"true"},
		"profile":    {"minio"},
		"endpoint":   {endpoint},
	}
	return freshbucket.Open(t, "s3", config, opts...)
}

// openGCS opens a bucket of a server for GCS, which is new for the test. URLs are signed with a key of the test.
func openGCS(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	endpoint := testserver.Need(t, "OMNIBUCKET_TEST_GCS")
	key := filepath.Join(t.TempDir(), "key.json")
	require.NoError(t, os.WriteFile(key, signingkey.File(), 0o600))
	config := url.Values{
		"project":     {"project"},
		"signing_key": {key},
		"endpoint":    {endpoint},
	}
	return freshbucket.Open(t, "gs", config, opts...)
}

// openAzurite opens a container of Azurite, which is new for the test.
func openAzurite(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	endpoint := testserver.Need(t, "OMNIBUCKET_TEST_AZURITE")
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "")
	t.Setenv("AZURE_STORAGE_ACCOUNT", os.Getenv("OMNIBUCKET_TEST_AZURITE_ACCOUNT"))
	t.Setenv("AZURE_STORAGE_KEY", os.Getenv("OMNIBUCKET_TEST_AZURITE_KEY"))
	return freshbucket.Open(t, "azblob", url.Values{"endpoint": {endpoint}}, opts...)
}
