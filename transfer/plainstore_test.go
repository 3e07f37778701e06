package transfer_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
)

// A store without metadata keeps no modification time of a file. A second Sync to it still
// transfers nothing.
func TestSyncToAStoreWithoutMetadata(t *testing.T) {
	noMetadata := faults.Limits{Disable: storage.Metadata | storage.ContentProperties}
	b := memstore.New(driver.WithLayer(faults.WithLimits(noMetadata)))
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.txt"), []byte("text"), 0o600))

	// The first job transfers the file, and the second one nothing.
	for _, wantTransferred := range []int64{1, 0} {
		report, err := transfer.Sync(t.Context(), transfer.Bucket(b), transfer.Dir(dir),
			transfer.WithDelete())
		require.NoError(t, err)
		require.EqualValues(t, wantTransferred, report.Transferred)
	}

	data, _, err := storage.ReadAll(t.Context(), b, "a.txt")
	require.NoError(t, err)
	require.Equal(t, "text", string(data))
}
