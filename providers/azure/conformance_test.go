package azure_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/azurite"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/azure"
	"github.com/omnibucket/storage/storagetest"
)

// The driver passes the conformance suite on Azurite.
func TestConformance(t *testing.T) {
	requireConformance(t, needAzurite(t), nil, storagetest.WithName("azure (Azurite)"))
}

// The suite passes with an HTTP client that wraps bodies, as clients that log or trace do.
func TestFurtherConformanceOverWrappedBodies(t *testing.T) {
	testserver.Further(t)
	// The table of supported features has no column for this client.
	t.Setenv("OMNIBUCKET_SUPPORT", "")
	requireConformance(t, needAzurite(t),
		&http.Client{Transport: wiretest.WrapBodies(testserver.Client().Transport)})
}

// requireConformance runs the suite on new containers of the emulator. The client may be nil.
func requireConformance(t *testing.T, s *azuriteServer, client *http.Client, opts ...storagetest.Option) {
	t.Helper()
	for name, reason := range azurite.Skipped {
		opts = append(opts, storagetest.Skip(name, reason))
	}
	storagetest.RunDriver(t, func(t *testing.T) driver.Driver {
		d, err := azure.NewDriver(t.Context(), azure.Config{
			Bucket:     s.container(t),
			Endpoint:   s.endpoint,
			HTTPClient: client,
		})
		require.NoError(t, err)
		return d
	}, opts...)
}
