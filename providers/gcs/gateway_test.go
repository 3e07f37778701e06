package gcs_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/gatewaytest"
	"github.com/omnibucket/storage/providers/gcs"
)

// The server of the S3 protocol works over a Google project, on fake-gcs-server.
func TestAServerOfS3OverGoogle(t *testing.T) {
	server := needServer(t)
	service, err := gcs.NewServiceDriver(t.Context(), gcs.Config{
		Project:  "project",
		Endpoint: server.endpoint,
	})
	require.NoError(t, err)
	gatewaytest.Run(t, service, gatewaytest.Lacks{Tags: true, Generations: true})
}
