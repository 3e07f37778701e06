package localfile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// SyncDir succeeds for a directory and fails for a missing one. That a sync has an effect is shown
// by package powercut.
func TestSyncDir(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, root.Close())
	}()

	require.NoError(t, SyncDir(dir))
	require.NoError(t, SyncDirIn(root, "."))

	require.ErrorIs(t, SyncDir(filepath.Join(dir, "missing")), os.ErrNotExist)
	require.ErrorIs(t, SyncDirIn(root, "missing"), os.ErrNotExist)
}

// MkdirAll creates a directory and its parents, and accepts one that exists.
func TestMkdirAll(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, MkdirAll(filepath.Join(dir, "a", "b", "c"), 0o777))
	require.DirExists(t, filepath.Join(dir, "a", "b", "c"))

	require.NoError(t, MkdirAll(filepath.Join(dir, "a", "b")+"/", 0o777), "an existing directory")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o666))
	require.Error(t, MkdirAll(filepath.Join(dir, "file", "x"), 0o777))

	t.Chdir(dir)
	require.NoError(t, MkdirAll("relative/path", 0o777))
	require.DirExists(t, filepath.Join(dir, "relative", "path"))
}
