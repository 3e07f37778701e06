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
	"github.com/omnibucket/storage/providers/azure"
)

// azuriteServer is the emulator that "make test" has started: see testservers.
type azuriteServer struct {
	endpoint string
	raw      *service.Client // the SDK's own, for what the driver is not to be asked
}

// needAzurite is the emulator, or the end of the test.
func needAzurite(t *testing.T) *azuriteServer {
	t.Helper()
	const variable = "OMNIBUCKET_TEST_AZURITE"
	s := &azuriteServer{endpoint: os.Getenv(variable)}
	if s.endpoint == "" {
		t.Fatalf("%s is not set: this test needs a real server; \"make test\" starts it, as does: go run -C testservers . -- go test ./providers/azure", variable)
	}
	// The key of the emulator's account, which everybody knows.
	key, err := service.NewSharedKeyCredential("devstoreaccount1", "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==")
	require.NoError(t, err)
	s.raw, err = service.NewClientWithSharedKeyCredential(s.endpoint, key, &service.ClientOptions{ClientOptions: azcore.ClientOptions{
		// Kept connections would be goroutines that the suite finds.
		Transport: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}})
	require.NoError(t, err)
	return s
}

var containerNumber atomic.Int64

// container makes an empty container, which t removes with all that is in it.
func (s *azuriteServer) container(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("omnibucket-%d-%d", os.Getpid(), containerNumber.Add(1))
	_, err := s.raw.CreateContainer(t.Context(), name, nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // the test's own is done
		defer cancel()
		_, err := s.raw.DeleteContainer(ctx, name, nil)
		require.NoError(t, err)
	})
	return name
}

func (s *azuriteServer) open(t *testing.T, container string, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	b, err := azure.Open(t.Context(), azure.Config{Bucket: container, Endpoint: s.endpoint}, opts...)
	require.NoError(t, err)
	return b
}
