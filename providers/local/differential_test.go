package local_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/storagetest/differential"
)

// Random calls have the same results as in memory, even if the bucket is opened again halfway.
func TestRandomCallsAsInMemory(t *testing.T) {
	var dir string
	var given []storage.OpenOption
	open := func(t *testing.T) storage.Bucket {
		b, err := local.Open(dir, local.Config{Create: true, NoSync: true}, given...)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
		return b
	}
	reopen := func(t *testing.T, _ storage.Bucket) storage.Bucket { return open(t) }

	differential.Run(t, differential.Config{Versions: true, Locks: true, Change: reopen},
		func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
			dir = filepath.Join(t.TempDir(), "b")
			given = opts
			return open(t)
		})
}
