package s3server_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/s3server"
)

// onStore puts the buckets of all tests where $OMNIBUCKET_S3SERVER_STORE says: "directory", or
// "service" for that of memstore.
func onStore(t *testing.T, c *s3server.Config) {
	t.Helper()
	if c.Service != nil || c.Driver != nil || c.MaxBytes > 0 || c.FolderOrder {
		return
	}
	switch os.Getenv("OMNIBUCKET_S3SERVER_STORE") {
	case "directory":
		service, err := local.NewServiceDriver(t.TempDir(), local.ServiceConfig{Now: c.Now, NoSync: true})
		require.NoError(t, err)
		t.Cleanup(func() { _ = service.Close() })
		c.Service = service
	case "service":
		c.Service = memstore.NewServiceDriver(memstore.ServiceConfig{Now: c.Now})
	}
}
