package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSyncDir calls SyncDir. Only package powercut shows that a sync has an effect.
func TestSyncDir(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, root.Close()) }()
	require.NoError(t, SyncDir(dir))
	require.NoError(t, SyncDirIn(root, "."))
	require.ErrorIs(t, SyncDir(filepath.Join(dir, "missing")), os.ErrNotExist)
	require.ErrorIs(t, SyncDirIn(root, "missing"), os.ErrNotExist)
}

func TestMkdirAll(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, MkdirAll(filepath.Join(dir, "a", "b", "c"), 0o777))
	require.DirExists(t, filepath.Join(dir, "a", "b", "c"))
	require.NoError(t, MkdirAll(filepath.Join(dir, "a", "b")+"/", 0o777), "it exists")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o666))
	require.Error(t, MkdirAll(filepath.Join(dir, "file", "x"), 0o777))
	t.Chdir(dir)
	require.NoError(t, MkdirAll("relative/path", 0o777))
	require.DirExists(t, filepath.Join(dir, "relative", "path"))
}

func TestTemporaryNames(t *testing.T) {
	require.True(t, IsTempName(TempName()))
	for name, want := range map[string]bool{
		TempPrefix + "0123456789abcdef":    true,
		TempPrefix + "0123456789abcdef-1f": true,
		TempPrefix + "0123456789abcdef-":   false,
		TempPrefix + "0123456789abcdef-x":  false,
		TempPrefix + "0123456789abcde":     false,
		TempPrefix + "mine":                false,
		"0123456789abcdef":                 false,
	} {
		require.Equal(t, want, IsTempName(name), name)
	}
}

// OfFile replaces the name of a temporary file in an error by that of the final file.
func TestErrorsNameTheFinalFile(t *testing.T) {
	temp := filepath.Join("dir", TempName())
	other := errors.New("another")
	for name, row := range map[string]struct {
		err         error
		named, hint string
	}{
		"a full disk":              {&fs.PathError{Op: "write", Path: temp, Err: syscall.ENOSPC}, "write dir/file: " + syscall.ENOSPC.Error(), "free some space: the disk is full"},
		"a quota":                  {fmt.Errorf("copy: %w", &fs.PathError{Op: "write", Path: temp, Err: syscall.EDQUOT}), "write dir/file: " + syscall.EDQUOT.Error(), "raise the disk quota: it is used up"},
		"a rename":                 {&os.LinkError{Op: "rename", Old: temp, New: "dir/file", Err: other}, "rename dir/file: another", ""},
		"an error of another file": {&fs.PathError{Op: "read", Path: "source", Err: other}, "read source: another", ""},
		"another error":            {other, "another", ""},
	} {
		t.Run(name, func(t *testing.T) {
			require.EqualError(t, OfFile(row.err, "dir/file"), row.named)
			require.Equal(t, row.hint, Hint(row.err))
		})
	}
}
