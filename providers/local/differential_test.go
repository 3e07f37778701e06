package local_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/storagetest/differential"
)

// Random calls have the same results as on a bucket in memory, even if the bucket is opened again halfway.
func TestRandomCallsAsInMemory(t *testing.T) {
	// Each call of create makes a new directory, which reopen opens again with the same options.
	var dir string
	var opts []storage.OpenOption
	open := func(t *testing.T) storage.Bucket {
		bucket, err := local.Open(dir, local.Config{Create: true, NoSync: true}, opts...)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })
		return bucket
	}
	create := func(t *testing.T, createOpts ...storage.OpenOption) storage.Bucket {
		dir = filepath.Join(t.TempDir(), "b")
		opts = createOpts
		return open(t)
	}
	reopen := func(t *testing.T, _ storage.Bucket) storage.Bucket { return open(t) }

	// Run makes the same random calls on a bucket of create and on one in memory. Halfway, it calls Change.
	differential.Run(t, differential.Config{Versions: true, Locks: true, Change: reopen}, create)
}
