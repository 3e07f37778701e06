package storage_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// If the path is that of a directory or a socket, DownloadFile fails with InvalidArgument and leaves it as it is.
func TestDownloadFileReplacesOnlyFiles(t *testing.T) {
	dir, err := os.MkdirTemp("", "") // a socket's path has to be short
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	tests := map[string]struct {
		make func(t *testing.T, path string)
		kind os.FileMode
	}{
		"a directory": {
			make: func(t *testing.T, path string) {
				require.NoError(t, os.Mkdir(path, 0o755))
			},
			kind: os.ModeDir,
		},
		"a socket": {
			make: func(t *testing.T, path string) {
				l, err := net.Listen("unix", path)
				require.NoError(t, err)
				t.Cleanup(func() { _ = l.Close() })
			},
			kind: os.ModeSocket,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, tt.kind.String()[:1])
			tt.make(t, path)

			_, err := storage.DownloadFile(t.Context(), memstore.New(), "key", path)
			require.ErrorIs(t, err, storage.InvalidArgument, "before the object is looked for")
			require.ErrorContains(t, err, "path")

			info, err := os.Lstat(path)
			require.NoError(t, err)
			require.Equal(t, tt.kind, info.Mode().Type())
		})
	}
}

// DownloadFile refuses a path that no file can have before it downloads anything.
func TestDownloadFileRefusesBadPath(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{
		"no name":                 "",
		"a name that is too long": filepath.Join(dir, strings.Repeat("x", 256)),
		"a zero byte":             filepath.Join(dir, "a\x00b"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := storage.DownloadFile(t.Context(), memstore.New(), "key", path)
			require.ErrorIs(t, err, storage.InvalidArgument, "before the object is looked for")
			require.ErrorContains(t, err, "path must")
		})
	}
}

// If a directory of the path is missing or is a file, the error of DownloadFile names it. DownloadFile makes no
// file or directory.
func TestDownloadFileNamesMissingDirectory(t *testing.T) {
	b := memstore.New()
	_, err := b.Upload(t.Context(), "key", strings.NewReader("x"))
	require.NoError(t, err)
	tests := map[string]struct {
		path    string // below a directory with the file "file"
		dir     string
		missing bool
	}{
		"a directory":                   {path: "none/x", dir: "none", missing: true},
		"one of several":                {path: "none/deep/x", dir: "none/deep", missing: true},
		"a file in place of one":        {path: "file/x", dir: "file", missing: false},
		"a file in place of one, above": {path: "file/deep/x", dir: "file/deep", missing: false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte("kept"), 0o644))

			_, err := storage.DownloadFile(t.Context(), b, "key", filepath.Join(dir, tt.path))
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.Equal(t, tt.missing, errors.Is(err, fs.ErrNotExist))
			require.ErrorContains(t, err, filepath.Join(dir, tt.dir))
			require.NotContains(t, err.Error(), ".omnibucket-")

			_, err = storage.DownloadFile(t.Context(), b, "none", filepath.Join(dir, tt.path))
			require.ErrorIs(t, err, storage.InvalidArgument, "before the object is looked for")
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, entries, 1, "nothing was made")
		})
	}
}

// FileInfo of attributes is that of a regular file, named by the last segment of the key.
func TestAttrsFileInfo(t *testing.T) {
	b := memstore.New()
	attrs, err := b.Upload(t.Context(), "a/b.txt", strings.NewReader("text"))
	require.NoError(t, err)

	info := attrs.FileInfo()
	require.Equal(t, "b.txt", info.Name())
	require.Equal(t, int64(4), info.Size())
	require.Equal(t, attrs.Modified, info.ModTime())
	require.True(t, info.Mode().IsRegular())
	require.False(t, info.IsDir())
	require.Equal(t, attrs, info.Sys())

	_, err = b.Attrs(t.Context(), "missing")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.False(t, os.IsNotExist(err), "as the documentation says")
}
