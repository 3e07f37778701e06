package inventory

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// If the directory for temporary files is missing, reading a file of an inventory fails with
// InvalidArgument, and not with ObjectNotFound.
func TestMissingTemporaryDirectoryOfAnInventory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "missing")
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	reports := memstore.New()
	_, err := reports.Upload(t.Context(), "file", strings.NewReader("x"))
	require.NoError(t, err)

	inventory := &Inventory{reports: reports}
	_, _, err = inventory.fetch(t.Context(), tableFile{key: "file", size: unknownSize})
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, fmt.Sprintf("create the directory %q", dir))
}
