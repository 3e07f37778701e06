// Package freshbucket creates empty buckets on the servers that tools/testservers has started.
package freshbucket

import (
	"crypto/rand"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// Open creates a bucket on the server that scheme and query select, and opens it. The bucket is
// never removed, because the server ends with the tests.
func Open(t *testing.T, scheme string, query url.Values, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	b, err := storage.Open(t.Context(), Address(t, scheme, query), opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	return b
}

// Address creates a bucket on the server that scheme and query select, and returns its address.
func Address(t *testing.T, scheme string, query url.Values) string {
	t.Helper()
	service, err := storage.OpenService(t.Context(), scheme+"://?"+query.Encode())
	require.NoError(t, err)
	name := Create(t, service)
	require.NoError(t, service.Close())
	return scheme + "://" + name + "?" + query.Encode()
}

// Create creates a bucket with a random name, and returns the name.
func Create(t *testing.T, service storage.Service, opts ...storage.BucketOption) string {
	t.Helper()
	name := "test-" + strings.ToLower(rand.Text())
	_, err := service.CreateBucket(t.Context(), name, opts...)
	require.NoError(t, err)
	return name
}
