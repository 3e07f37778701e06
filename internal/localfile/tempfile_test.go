package localfile_test

import (
	"io"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/localfile"
)

// CloseTemp removes a temporary file. Except on Windows, the file has no name in its directory even before CloseTemp.
func TestCloseTempLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir) // Windows
	requireEmpty := func() {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, entries)
	}

	f, err := localfile.CreateTemp("test-*")
	require.NoError(t, err)
	if runtime.GOOS != "windows" {
		requireEmpty() // nothing would remain if the process were killed now
	}

	_, err = f.WriteString("hello")
	require.NoError(t, err)
	_, err = f.Seek(0, io.SeekStart)
	require.NoError(t, err)
	text, err := io.ReadAll(f)
	require.NoError(t, err)
	require.Equal(t, "hello", string(text))

	require.NoError(t, localfile.CloseTemp(f))
	requireEmpty()
	require.ErrorIs(t, localfile.CloseTemp(f), os.ErrClosed)
}

// If the directory for temporary files is missing, CreateTemp fails with os.ErrNotExist.
func TestCreateTempFailsWithoutADirectory(t *testing.T) {
	t.Setenv("TMPDIR", "/does-not-exist")
	t.Setenv("TMP", "/does-not-exist") // Windows
	_, err := localfile.CreateTemp("test-*")
	require.ErrorIs(t, err, os.ErrNotExist)
}
