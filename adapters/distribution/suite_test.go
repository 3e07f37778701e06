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

// The test suite for drivers of the distribution registry passes on each store. If OMNIBUCKET_LARGE_FILES is set, it
// also writes files of 5 GiB, but not in memory.
func TestRegistrysSuite(t *testing.T) {
	large := os.Getenv("OMNIBUCKET_LARGE_FILES") != ""
	if !large {
		// The suite writes no large files in the short mode.
		setFlag(t, "test.short", "true")
	}

	// One test of the suite changes the bytes that all tests write and compare. It runs here,
	// before tests run in parallel.
	t.Run("settled", settleContents)

	t.Run("on", func(t *testing.T) {
		for name, open := range stores {
			if large && name == "memory" {
				continue
			}
			t.Run(name, func(t *testing.T) {
				// The suite sleeps most of the time.
				t.Parallel()
				runSuite(t, open(t))
			})
		}
	})
}

// settleContents runs the one test of the suite that changes the bytes which all its tests write and compare. It changes
// them only the first time. A suite that runs in parallel would otherwise read other bytes than it wrote.
func settleContents(t *testing.T) {
	setFlag(t, "testify.m", "^TestReaderWithOffset$")
	runSuite(t, memstore.New())
}

// runSuite runs the registry's test suite for drivers on a bucket.
func runSuite(t *testing.T, b storage.Bucket) {
	d := newDriver(t, b)
	testsuites.Driver(t, func() (registry.StorageDriver, error) { return d, nil }, false)
}

// setFlag sets a flag of the test program until the end of the test.
func setFlag(t *testing.T, name, value string) {
	t.Helper()
	f := flag.Lookup(name).Value
	old := f.String()
	require.NoError(t, f.Set(value))
	t.Cleanup(func() {
		require.NoError(t, f.Set(old))
	})
}
