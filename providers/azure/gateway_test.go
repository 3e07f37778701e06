package azure_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/gatewaytest"
	"github.com/omnibucket/storage/providers/azure"
)

func TestAServerOfS3OverAzure(t *testing.T) {
	s := needAzurite(t)
	service, err := azure.NewServiceDriver(t.Context(), azure.Config{Endpoint: s.endpoint})
	require.NoError(t, err)
	gatewaytest.Run(t, service, gatewaytest.Lacks{Versions: true})
}
