package gcs_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/gatewaytest"
	"github.com/omnibucket/storage/providers/gcs"
)

func TestAServerOfS3OverGoogle(t *testing.T) {
	s := needServer(t)
	service, err := gcs.NewServiceDriver(t.Context(), gcs.Config{Project: "project", Endpoint: s.endpoint})
	require.NoError(t, err)
	gatewaytest.Run(t, service, gatewaytest.Lacks{Tags: true, Generations: true})
}
