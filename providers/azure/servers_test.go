package azure_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/azure"
)

// azuriteServer is the emulator that "make test-all" has started (see testservers).
type azuriteServer struct {
	endpoint string
	raw      *service.Client // a client of the SDK, for checks without the driver
}

// azuriteKey is the public key of the emulator's accounts.
const azuriteKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

// needAzurite returns the emulator. If there is none, it fails the test.
func needAzurite(t *testing.T) *azuriteServer {
	t.Helper()
	s := &azuriteServer{endpoint: testserver.Need(t, "OMNIBUCKET_TEST_AZURITE")}
	key, err := service.NewSharedKeyCredential("devstoreaccount1", azuriteKey)
	require.NoError(t, err)
	s.raw, err = service.NewClientWithSharedKeyCredential(s.endpoint, key, &service.ClientOptions{ClientOptions: azcore.ClientOptions{
		// Idle connections would be goroutines that the suite reports.
		Transport: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}})
	require.NoError(t, err)
	return s
}

// containerNumber makes the names of containers unique.
var containerNumber atomic.Int64

// container makes an empty container, and removes it with its blobs after the
// test.
func (s *azuriteServer) container(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("omnibucket-%d-%d", os.Getpid(), containerNumber.Add(1))
	_, err := s.raw.CreateContainer(t.Context(), name, nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // that of the test is done
		defer cancel()
		_, err := s.raw.DeleteContainer(ctx, name, nil)
		require.NoError(t, err)
	})
	return name
}

// open opens a container of the emulator through the driver.
func (s *azuriteServer) open(t *testing.T, container string, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	bucket, err := azure.Open(t.Context(), azure.Config{Bucket: container, Endpoint: s.endpoint}, opts...)
	require.NoError(t, err)
	return bucket
}
