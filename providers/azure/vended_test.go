package azure_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/azure"
)

// signatureOf returns a shared access signature of a container. Without a hierarchical namespace, no signature is bound
// to a prefix. So the tests give each signature other permissions, by which they recognize it in a request.
func signatureOf(t *testing.T, container string, permissions sas.ContainerPermissions) string {
	t.Helper()
	key, err := service.NewSharedKeyCredential("devstoreaccount1", azuriteKey)
	require.NoError(t, err)
	params, err := sas.BlobSignatureValues{
		Protocol:      sas.ProtocolHTTPSandHTTP,
		ExpiryTime:    time.Now().UTC().Add(time.Hour),
		ContainerName: container,
		Permissions:   permissions.String(),
	}.SignWithSharedKey(key)
	require.NoError(t, err)
	return params.Encode()
}

// Credentials hold for the objects of a prefix. Each prefix has its own, and a copy between two
// prefixes uses both.
func TestCredentialsForPrefix(t *testing.T) {
	emulator := needAzurite(t)
	container := emulator.container(t)
	// The prefix "own/" has all rights, and "read/" has only the right to read. Other prefixes have
	// no credentials.
	allRights := signatureOf(t, container, sas.ContainerPermissions{
		Read:   true,
		Create: true,
		Write:  true,
		Delete: true,
		List:   true,
	})
	readOnly := signatureOf(t, container, sas.ContainerPermissions{Read: true})
	var requests []string // the keys for which credentials were requested
	bucket, err := azure.Open(t.Context(), azure.Config{
		Bucket:     container,
		Endpoint:   emulator.endpoint,
		HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		CredentialsFor: func(_ context.Context, key string) (azure.PrefixCredentials, error) {
			requests = append(requests, key)
			if strings.HasPrefix(key, "own/") {
				return azure.PrefixCredentials{
					Prefix:   "own/",
					SASToken: allRights,
					Expires:  time.Now().Add(time.Hour),
				}, nil
			}
			if strings.HasPrefix(key, "read/") {
				return azure.PrefixCredentials{Prefix: "read/", SASToken: "?" + readOnly}, nil
			}
			return azure.PrefixCredentials{}, errors.New("the catalog has no such table")
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })

	upload := func(key string) error {
		_, err := bucket.Upload(t.Context(), key, strings.NewReader(key))
		return err
	}

	// The object "read/1" is stored by another client, because the credentials of its prefix permit
	// only reading.
	source := emulator.raw.NewContainerClient(container).NewBlockBlobClient("read/1")
	_, err = source.UploadBuffer(t.Context(), []byte("read/1"), nil)
	require.NoError(t, err)

	// Each prefix permits what its credentials permit.
	require.NoError(t, upload("own/1"))
	require.NoError(t, upload("own/2"))
	require.Equal(t, storage.PermissionDenied, storage.CodeOf(upload("read/2")))

	// A copy reads with the credentials of one prefix, and writes with those of the other.
	_, err = storage.Copy(t.Context(), bucket, "own/3", bucket, "read/1")
	require.NoError(t, err)
	text, _, err := storage.ReadAll(t.Context(), bucket, "own/3")
	require.NoError(t, err)
	require.Equal(t, "read/1", string(text))
	require.Equal(t, []string{"own/1", "read/2"}, requests, "credentials must be requested once for each prefix")

	// A write to a prefix without credentials fails.
	require.Equal(t, storage.Unauthenticated, storage.CodeOf(upload("other/1")))
}

// CredentialsFor cannot be combined with other credentials or with a service. Empty credentials
// fail with Unauthenticated.
func TestCredentialsForExcludesOthers(t *testing.T) {
	noCredentials := func(context.Context, string) (azure.PrefixCredentials, error) {
		return azure.PrefixCredentials{}, nil
	}
	config := azure.Config{Bucket: "photos", Account: "acme", CredentialsFor: noCredentials}

	t.Run("with other credentials", func(t *testing.T) {
		c := config
		c.Anonymous = true
		_, err := azure.Open(t.Context(), c)
		require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
	})

	t.Run("of a service", func(t *testing.T) {
		c := config
		c.Bucket = ""
		_, err := azure.NewService(t.Context(), c)
		require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
	})

	t.Run("empty credentials", func(t *testing.T) {
		bucket, err := azure.Open(t.Context(), config)
		require.NoError(t, err)
		_, err = bucket.Attrs(t.Context(), "a")
		require.Equal(t, storage.Unauthenticated, storage.CodeOf(err))
		require.NoError(t, storage.Close(bucket))
	})
}
