package localfile

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// openStable opens a file as a transfer does.
func openStable(t *testing.T, text string) (*Stable, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	f, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	info, err := f.Stat()
	require.NoError(t, err)
	return NewStable(f, info), path
}

// If a file changes between two reads, the second read fails.
func TestStableFailsAfterAChange(t *testing.T) {
	s, path := openStable(t, "0123456789")
	r := s.Reader()
	firstHalf := make([]byte, 5)
	_, err := io.ReadFull(r, firstHalf)
	require.NoError(t, err)
	require.Equal(t, "01234", string(firstHalf))
	require.False(t, s.Changed())

	require.NoError(t, os.WriteFile(path, []byte("0123456789 and more"), 0o644))
	rest, err := io.ReadAll(r)
	require.ErrorIs(t, err, ErrChanged)
	require.Empty(t, rest)
	require.True(t, s.Changed())
}

// Empty accepts a file of size 0, and fails with ErrChanged once the file has bytes.
func TestStableEmpty(t *testing.T) {
	s, path := openStable(t, "")
	require.NoError(t, s.Empty())

	require.NoError(t, os.WriteFile(path, []byte("x"), 0o644))
	require.ErrorIs(t, s.Empty(), ErrChanged)
}
