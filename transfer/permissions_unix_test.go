//go:build unix

package transfer_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/transfer"
)

// withUmask must not be used in parallel tests.
func withUmask(t *testing.T, mask int) {
	t.Helper()
	was := syscall.Umask(mask)
	t.Cleanup(func() { syscall.Umask(was) })
}

// modes returns the modes of these files in a directory, by their paths.
func modes(t *testing.T, dir string, paths ...string) map[string]fs.FileMode {
	t.Helper()
	all := map[string]fs.FileMode{}
	for _, path := range paths {
		info, err := os.Stat(filepath.Join(dir, path))
		require.NoError(t, err)
		all[path] = info.Mode() &^ fs.ModeDir
	}
	return all
}

// chmod sets the modes of files below dir.
func chmod(t *testing.T, dir string, modes map[string]fs.FileMode) {
	t.Helper()
	for path, mode := range modes {
		require.NoError(t, os.Chmod(filepath.Join(dir, path), mode))
	}
}

// A job between two directories keeps the permissions of files and directories, except for setuid and
// the bits of the umask.
func TestPermissionsBetweenDirectories(t *testing.T) {
	withUmask(t, 0o022)
	src := newTree(t, map[string]string{
		"run.sh":      "x",
		"id_rsa":      "x",
		"shared":      "x",
		"root":        "x",
		"private/key": "x",
		"read only/x": "x",
	})
	chmod(t, src, map[string]fs.FileMode{
		"run.sh":      0o755,
		"id_rsa":      0o600,
		"shared":      0o664,
		"root":        0o755 | fs.ModeSetuid,
		"private":     0o700,
		"read only/x": 0o444,
		"read only":   0o555,
	})
	// Without the permission to write, the test could not remove the directory.
	t.Cleanup(func() {
		_ = os.Chmod(filepath.Join(src, "read only"), 0o755)
	})

	dst := newTree(t, map[string]string{"id_rsa": "older"})
	chmod(t, dst, map[string]fs.FileMode{"id_rsa": 0o644})

	_, err := transfer.Sync(t.Context(), transfer.Dir(dst), transfer.Dir(src))
	require.NoError(t, err)

	want := map[string]fs.FileMode{
		"run.sh":      0o755,
		"id_rsa":      0o600,
		"shared":      0o644,
		"root":        0o755,
		"private":     0o700,
		"private/key": 0o644,
		"read only":   0o755,
		"read only/x": 0o444,
	}
	require.Equal(t, want, modes(t, dst, keysOf(want)...))
}

// Download gives new files the permissions that the umask leaves. If it replaces a file, it keeps
// the permissions of that file.
func TestPermissionsOfADownload(t *testing.T) {
	withUmask(t, 0o027)
	b := newBucketOf(t, map[string]string{"new": "x", "sub/new": "x", "replaced": "x"})
	dst := newTree(t, map[string]string{"replaced": "another"})
	chmod(t, dst, map[string]fs.FileMode{"replaced": 0o664})

	_, err := transfer.Download(t.Context(), b, dst)
	require.NoError(t, err)

	want := map[string]fs.FileMode{"new": 0o640, "sub": 0o750, "sub/new": 0o640, "replaced": 0o664}
	require.Equal(t, want, modes(t, dst, keysOf(want)...))
}
