package azure_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/azure"
)

// A bucket with a shared access signature of its container can do everything that the signature
// permits, including server copies.
func TestOpenWithSharedAccessSignature(t *testing.T) {
	server := needAzurite(t)
	name := server.container(t)
	permissions := sas.ContainerPermissions{Read: true, Write: true, Create: true, Delete: true, List: true}
	address, err := server.raw.NewContainerClient(name).GetSASURL(permissions, time.Now().Add(time.Hour), nil)
	require.NoError(t, err)
	u, err := url.Parse(address)
	require.NoError(t, err)

	// The question mark of a URL's query is optional.
	for _, token := range []string{u.RawQuery, "?" + u.RawQuery} {
		bucket, err := azure.Open(t.Context(), azure.Config{
			Bucket:   name,
			Endpoint: server.endpoint,
			SASToken: token,
		})
		require.NoError(t, err)

		_, err = bucket.Upload(t.Context(), "a b/é", strings.NewReader("hello"),
			storage.WithMetadata(map[string]string{"a-b": "c"}))
		require.NoError(t, err)
		_, err = storage.Copy(t.Context(), bucket, "copy", bucket, "a b/é")
		require.NoError(t, err)

		// The copy equals its source.
		data, attrs, err := storage.ReadAll(t.Context(), bucket, "copy")
		require.NoError(t, err)
		require.Equal(t, "hello", string(data))
		require.Equal(t, map[string]string{"a-b": "c"}, attrs.Metadata)

		// A removal counts a missing object, too.
		keys := []string{"a b/é", "copy", "missing"}
		removed, err := storage.RemoveAll(t.Context(), bucket, slices.Values(keys))
		require.NoError(t, err)
		require.Equal(t, len(keys), removed)
		for entry, err := range bucket.List(t.Context()) {
			require.NoError(t, err)
			require.Fail(t, "no object may be left", entry.Key)
		}

		// A signature cannot sign other URLs.
		require.False(t, storage.Supports(bucket, storage.SignedURLs))
		require.NoError(t, storage.Close(bucket))
	}
}

// storage.Open opens a bucket with the credentials of the environment.
func TestOpenFromEnvironment(t *testing.T) {
	server := needAzurite(t)
	name := server.container(t)
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING",
		"AccountName=devstoreaccount1;AccountKey="+azuriteKey+";BlobEndpoint="+server.endpoint)

	bucket, err := storage.Open(t.Context(), "azblob://"+name)
	require.NoError(t, err)
	_, err = bucket.Upload(t.Context(), "a", strings.NewReader("hello"))
	require.NoError(t, err)
	require.NoError(t, storage.Close(bucket))
}

// A private container refuses anonymous requests.
func TestConfigAnonymousPrivateContainer(t *testing.T) {
	server := needAzurite(t)
	name := server.container(t)
	bucket, err := azure.Open(t.Context(), azure.Config{
		Bucket:    name,
		Endpoint:  server.endpoint,
		Anonymous: true,
	})
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(bucket))
	}()

	_, err = bucket.Attrs(t.Context(), "a")
	refusals := []storage.Code{storage.BucketNotFound, storage.PermissionDenied, storage.Unauthenticated}
	require.Contains(t, refusals, storage.CodeOf(err), "%v", err)
}
