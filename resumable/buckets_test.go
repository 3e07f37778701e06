package resumable_test

import (
	"net/url"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/freshbucket"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
	_ "github.com/omnibucket/storage/providers/azure"
	_ "github.com/omnibucket/storage/providers/gcs"
	"github.com/omnibucket/storage/providers/local"
	_ "github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/resumable"
	"github.com/omnibucket/storage/serve"
)

// An opener opens a new bucket, whose signed addresses work.
type opener func(t *testing.T, opts ...storage.OpenOption) storage.Bucket

// backends are the stores. "make test" starts the servers.
var backends = []struct {
	name  string
	open  opener
	signs bool // parts at addresses that work
}{
	{"memory", inMemory, true},
	{"local", inADirectory, true},
	{"minio", onMinIO, true},
	{"gcs", onGCS, false},
	{"azurite", onAzurite, true},
}

// onBuckets runs f on every kind of bucket.
func onBuckets(t *testing.T, f func(t *testing.T, open opener)) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) { f(t, b.open) })
	}
}

// onSignedBuckets runs f on every kind of bucket, with parts that go to the store if it
// signs them, and through the handler.
func onSignedBuckets(t *testing.T, f func(t *testing.T, open opener, c resumable.Config)) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) { f(t, b.open, resumable.Config{ProxyParts: !b.signs}) })
	}
	t.Run("memory through the handler", func(t *testing.T) { f(t, inMemory, resumable.Config{ProxyParts: true}) })
}

func inMemory(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
	return served(t, func(base string) (storage.Bucket, error) {
		return memstore.New(append(opts, storage.WithSigningBaseURL(base))...), nil
	})
}

func inADirectory(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
	return served(t, func(base string) (storage.Bucket, error) {
		return local.Open(t.TempDir(), local.Config{NoSync: true}, append(opts, storage.WithSigningBaseURL(base))...)
	})
}

func served(t *testing.T, open func(base string) (storage.Bucket, error)) storage.Bucket {
	t.Helper()
	server, err := serve.NewServer(open)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	return server.Bucket
}

func onMinIO(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
	endpoint := testserver.Need(t, "OMNIBUCKET_TEST_MINIO")
	t.Setenv("AWS_ACCESS_KEY_ID", os.Getenv("OMNIBUCKET_TEST_MINIO_KEY"))
	t.Setenv("AWS_SECRET_ACCESS_KEY", os.Getenv("OMNIBUCKET_TEST_MINIO_SECRET"))
	return freshbucket.Open(t, "s3", url.Values{"region": {"us-east-1"}, "path_style": {"true"}, "profile": {"minio"}, "endpoint": {endpoint}}, opts...)
}

func onGCS(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
	return freshbucket.Open(t, "gs", url.Values{"anonymous": {"true"}, "project": {"project"}, "endpoint": {testserver.Need(t, "OMNIBUCKET_TEST_GCS")}}, opts...)
}

func onAzurite(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
	endpoint := testserver.Need(t, "OMNIBUCKET_TEST_AZURITE")
	t.Setenv("AZURE_STORAGE_ACCOUNT", os.Getenv("OMNIBUCKET_TEST_AZURITE_ACCOUNT"))
	t.Setenv("AZURE_STORAGE_KEY", os.Getenv("OMNIBUCKET_TEST_AZURITE_KEY"))
	return freshbucket.Open(t, "azblob", url.Values{"account": {os.Getenv("OMNIBUCKET_TEST_AZURITE_ACCOUNT")}, "endpoint": {endpoint}}, opts...)
}
