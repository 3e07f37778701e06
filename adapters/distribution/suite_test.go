package distribution

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	registry "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/testsuites"
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

// The registry's test suite for drivers passes on each store. OMNIBUCKET_LARGE_FILES adds its files of 5 GiB,
// which a store in memory does not test.
func TestRegistrysSuite(t *testing.T) {
	large := os.Getenv("OMNIBUCKET_LARGE_FILES") != ""
	if !large {
		short := flag.Lookup("test.short").Value
		head := short.String()
		require.NoError(t, short.Set("true"))
		defer func() {
			require.NoError(t, short.Set(head))
		}()
	}
	t.Run("settled", settleContents)
	t.Run("on", func(t *testing.T) {
		for name, open := range stores {
			if large && name == "memory" {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel() // the suite sleeps
				d, err := New(open(t))
				require.NoError(t, err)
				testsuites.Driver(t, func() (registry.StorageDriver, error) { return d, nil }, false)
			})
		}
	})
}

// settleContents runs the test of the suite that appends to a slice of the bytes which all its tests write and compare. It
// changes them the first time: beside another suite, that one would read what it has not written.
func settleContents(t *testing.T) {
	value := flag.Lookup("testify.m").Value
	require.NoError(t, value.Set("^TestReaderWithOffset$"))
	defer func() {
		require.NoError(t, value.Set(""))
	}()
	d, err := New(memstore.New())
	require.NoError(t, err)
	testsuites.Driver(t, func() (registry.StorageDriver, error) { return d, nil }, false)
}
