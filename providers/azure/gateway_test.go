package azure_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/gatewaytest"
	"github.com/omnibucket/storage/providers/azure"
)

// The server of the S3 protocol works over an Azure account, on Azurite.
func TestAServerOfS3OverAzure(t *testing.T) {
	server := needAzurite(t)
	service, err := azure.NewServiceDriver(t.Context(), azure.Config{Endpoint: server.endpoint})
	require.NoError(t, err)
	gatewaytest.Run(t, service, gatewaytest.Lacks{Versions: true})
}
