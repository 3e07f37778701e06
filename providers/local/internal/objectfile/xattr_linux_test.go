package objectfile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// If a file's extended attribute cannot be read, its removal fails, because an attribute that stays
// would take precedence over the new sidecar.
func TestRemovalOfUnreadableXattr(t *testing.T) {
	path := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(path, "a"), nil, 0o600))
	root, err := os.OpenRoot(path)
	require.NoError(t, err)
	defer root.Close()
	dir, err := osdir.Open(root, nil, ".")
	require.NoError(t, err)
	defer dir.Close()

	// The attribute of a closed file cannot be read.
	f, err := dir.Open("a")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.Error(t, new(Staging).removeXattr(f))
}
