package uploads_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/uploads"
)

// client keeps no connections, because they would be goroutines that outlive the
// test.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// onBuckets runs f on every kind of bucket, each with addresses that work. MinIO
// needs "make test" to start it.
func onBuckets(t *testing.T, f func(t *testing.T, b storage.Bucket)) {
	t.Run("memory", func(t *testing.T) { f(t, inMemory(t)) })
	t.Run("local", func(t *testing.T) {
		f(t, served(t, func(base string) (storage.Bucket, error) {
			return local.Open(t.TempDir(), local.Config{}, storage.WithSigningBaseURL(base))
		}))
	})
	t.Run("minio", func(t *testing.T) { f(t, onMinIO(t)) })
}

func inMemory(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
	return served(t, func(base string) (storage.Bucket, error) {
		return memstore.New(append(opts, storage.WithSigningBaseURL(base))...), nil
	})
}

func served(t *testing.T, open func(base string) (storage.Bucket, error)) storage.Bucket {
	t.Helper()
	server, err := serve.NewServer(open)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	return server.Bucket
}

var bucketNumber atomic.Int64

func onMinIO(t *testing.T) storage.Bucket {
	t.Helper()
	const variable = "OMNIBUCKET_TEST_MINIO"
	endpoint := testserver.Need(t, variable)
	profile, known := s3.NamedProfile("minio")
	require.True(t, known)
	c := s3.Config{
		Endpoint: endpoint, Region: "us-east-1", Profile: &profile,
		AccessKeyID: os.Getenv(variable + "_KEY"), SecretKey: os.Getenv(variable + "_SECRET"),
		HTTPClient: client,
	}
	service, err := s3.NewService(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	name := fmt.Sprintf("uploads-%d-%d", time.Now().UnixNano(), bucketNumber.Add(1))
	_, err = service.CreateBucket(t.Context(), name)
	require.NoError(t, err)
	c.Bucket = name
	b, err := s3.Open(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	return b
}

func newService(t *testing.T, b uploads.Bucket, c uploads.Config) *uploads.Service {
	t.Helper()
	s, err := uploads.New(b, c)
	require.NoError(t, err)
	return s
}

// keys returns all keys of the bucket.
func keys(t *testing.T, b storage.Bucket) []string {
	t.Helper()
	found := []string{}
	for entry, err := range b.List(t.Context()) {
		require.NoError(t, err)
		found = append(found, entry.Key)
	}
	return found
}

// published returns the keys that are not pending.
func published(t *testing.T, b storage.Bucket) []string {
	t.Helper()
	return slices.DeleteFunc(keys(t, b), func(key string) bool { return strings.Contains(key, uploads.DefaultPendingPrefix) })
}

// send sends a ticket's request, and returns the status.
func send(t *testing.T, ticket *uploads.Ticket, content string) int {
	t.Helper()
	require.NotNil(t, ticket.Put, "a ticket of a known size is a PUT")
	r, err := ticket.Put.Request(t.Context(), strings.NewReader(content))
	require.NoError(t, err)
	return statusOf(t, r)
}

func statusOf(t *testing.T, r *http.Request) int {
	t.Helper()
	answer, err := client.Do(r)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return answer.StatusCode
}
