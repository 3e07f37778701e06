package tempfile_test

import (
	"io"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/tempfile"
)

// Close removes the temporary file. Except on Windows, the file has no name even before that.
func TestCloseLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir) // Windows
	empty := func() {
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left)
	}
	f, err := tempfile.Create("test-*")
	require.NoError(t, err)
	if runtime.GOOS != "windows" {
		empty() // also if the process is killed now
	}
	_, err = f.WriteString("hello")
	require.NoError(t, err)
	_, err = f.Seek(0, io.SeekStart)
	require.NoError(t, err)
	text, err := io.ReadAll(f)
	require.NoError(t, err)
	require.Equal(t, "hello", string(text))
	require.NoError(t, tempfile.Close(f))
	empty()
	require.ErrorIs(t, tempfile.Close(f), os.ErrClosed)
}

func TestCreateFailsWithoutADirectory(t *testing.T) {
	t.Setenv("TMPDIR", "/does-not-exist")
	t.Setenv("TMP", "/does-not-exist") // Windows
	_, err := tempfile.Create("test-*")
	require.ErrorIs(t, err, os.ErrNotExist)
}
