package iceberg

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/internal/testing/minioserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/providers/s3"
)

// runOnEachStore runs a test on an empty bucket of each store.
func runOnEachStore(t *testing.T, run func(t *testing.T, b storage.Bucket), opts ...storage.OpenOption) {
	for name, open := range map[string]func(t *testing.T) storage.Bucket{
		"memory": func(*testing.T) storage.Bucket { return memstore.New(opts...) },
		"local": func(t *testing.T) storage.Bucket {
			b, err := local.Open(filepath.Join(t.TempDir(), "bucket"), local.Config{
				Create: true,
				NoSync: true,
			}, opts...)
			require.NoError(t, err)
			return b
		},
		"minio": func(t *testing.T) storage.Bucket {
			b, err := s3.Open(t.Context(), minioserver.NewBucket(t), opts...)
			require.NoError(t, err)
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
			run(t, b)
		})
	}
}

// register registers b under a root of the test, and returns the root.
func register(t *testing.T, b storage.Bucket) string {
	t.Helper()
	const root = "s3://lake"
	require.NoError(t, Register(root, b))
	t.Cleanup(func() { Unregister(root) })
	return root
}
