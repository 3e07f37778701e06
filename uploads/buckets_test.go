package uploads_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/uploads"
)

// client closes each connection after its request, because an open connection has goroutines that
// would outlive the test.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// runOnBuckets runs f on every kind of bucket. The signed URLs of each bucket work. MinIO needs "make test-all" to
// start it.
func runOnBuckets(t *testing.T, f func(t *testing.T, bucket storage.Bucket)) {
	t.Run("memory", func(t *testing.T) {
		f(t, openMemory(t))
	})
	t.Run("local", func(t *testing.T) {
		f(t, serveBucket(t, func(base string) (storage.Bucket, error) {
			return local.Open(t.TempDir(), local.Config{}, storage.WithSigningBaseURL(base))
		}))
	})
	t.Run("minio", func(t *testing.T) {
		f(t, openMinIO(t))
	})
}

// openMemory returns a memory bucket whose signed URLs a test server serves.
func openMemory(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
	return serveBucket(t, func(base string) (storage.Bucket, error) {
		return memstore.New(append(opts, storage.WithSigningBaseURL(base))...), nil
	})
}

// serveBucket starts a server of signed URLs for the bucket that open returns.
func serveBucket(t *testing.T, open func(base string) (storage.Bucket, error)) storage.Bucket {
	t.Helper()
	server, err := serve.NewServer(open)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	return server.Bucket
}

// newService returns a service of the bucket with the config c.
func newService(t *testing.T, bucket storage.Bucket, c uploads.Config) *uploads.Service {
	t.Helper()
	s, err := uploads.New(bucket, c)
	require.NoError(t, err)
	return s
}

// listKeys returns all keys of the bucket.
func listKeys(t *testing.T, bucket storage.Bucket) []string {
	t.Helper()
	names := []string{}
	for entry, err := range bucket.List(t.Context()) {
		require.NoError(t, err)
		names = append(names, entry.Key)
	}
	return names
}

// listPublished returns the keys that are not pending.
func listPublished(t *testing.T, bucket storage.Bucket) []string {
	t.Helper()
	return slices.DeleteFunc(listKeys(t, bucket), func(key string) bool {
		return strings.Contains(key, uploads.DefaultPrefix)
	})
}

// send sends a ticket's request, and returns the status.
func send(t *testing.T, ticket *uploads.Ticket, content string) int {
	t.Helper()
	require.NotNil(t, ticket.Put, "a ticket of a known size is a PUT")
	r, err := ticket.Put.Request(t.Context(), strings.NewReader(content))
	require.NoError(t, err)
	return statusOf(t, r)
}

// statusOf sends a request, and returns the status of the response.
func statusOf(t *testing.T, req *http.Request) int {
	t.Helper()
	resp, err := client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}
