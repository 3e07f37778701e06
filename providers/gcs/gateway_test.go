package gcs_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/gatewaytest"
	"github.com/omnibucket/storage/providers/gcs"
)

func TestAServerOfS3OverGoogle(t *testing.T) {
	s := needServer(t)
	service, err := gcs.NewServiceDriver(t.Context(), gcs.Config{Project: "project", Client: sdkClient(t, s.endpoint, &http.Transport{DisableKeepAlives: true})})
	require.NoError(t, err)
	gatewaytest.Run(t, service, gatewaytest.Lacks{Multipart: true, Tags: true})
}
