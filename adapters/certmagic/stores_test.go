package certmagic

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

var stores = map[string]func(t *testing.T) storage.Bucket{
	"memory": func(*testing.T) storage.Bucket { return memstore.New() },
	"local": func(t *testing.T) storage.Bucket {
		b, err := local.Open(filepath.Join(t.TempDir(), "bucket"), local.Config{Create: true, NoSync: true})
		require.NoError(t, err)
		return b
	},
	"minio": func(t *testing.T) storage.Bucket {
		b, err := s3.Open(t.Context(), minioserver.NewBucket(t))
		require.NoError(t, err)
		return b
	},
}

func newStorage(t *testing.T, b storage.ReadWriter) *Storage {
	t.Helper()
	s, err := New(b)
	require.NoError(t, err)
	return s
}
