package azure_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/azurite"
	"github.com/omnibucket/storage/providers/azure"
	"github.com/omnibucket/storage/storagetest"
)

func TestConformance(t *testing.T) {
	s := needAzurite(t)
	opts := []storagetest.Option{storagetest.WithName("azure (Azurite)")}
	for name, reason := range azurite.Skipped {
		opts = append(opts, storagetest.Skip(name, reason))
	}
	storagetest.RunDriver(t, func(t *testing.T) driver.Driver {
		d, err := azure.NewDriver(t.Context(), azure.Config{Bucket: s.container(t), Endpoint: s.endpoint})
		require.NoError(t, err)
		return d
	}, opts...)
}
