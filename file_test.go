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

// DownloadFile fails with InvalidArgument if the path is that of a directory or a socket, and leaves it as it is.
func TestDownloadFileReplacesOnlyFiles(t *testing.T) {
	// The path of a socket must be short, so t.TempDir does not fit.
	dir, err := os.MkdirTemp("", "")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	directory := filepath.Join(dir, "d")
	require.NoError(t, os.Mkdir(directory, 0o755))
	socket := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })

	tests := []struct {
		name     string
		path     string
		wantType os.FileMode
	}{
		{name: "a directory", path: directory, wantType: os.ModeDir},
		{name: "a socket", path: socket, wantType: os.ModeSocket},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The object is missing, too, but the error is about the path, which is checked first.
			_, err := storage.DownloadFile(t.Context(), memstore.New(), "missing", tt.path)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, "path")

			info, err := os.Lstat(tt.path)
			require.NoError(t, err)
			require.Equal(t, tt.wantType, info.Mode().Type())
		})
	}
}

// DownloadFile fails with InvalidArgument for a path that no file can have, even if the object is missing.
func TestDownloadFileRefusesBadPath(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name string
		path string
	}{
		{name: "no name", path: ""},
		{name: "name that is too long", path: filepath.Join(dir, strings.Repeat("x", 256))},
		{name: "zero byte", path: filepath.Join(dir, "a\x00b")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := storage.DownloadFile(t.Context(), memstore.New(), "missing", tt.path)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, "path must")
		})
	}
}

// If a directory of the path is missing or is a file, DownloadFile makes nothing and fails with an error that names it.
func TestDownloadFileNamesMissingDirectory(t *testing.T) {
	b := memstore.New()
	_, err := b.Upload(t.Context(), "key", strings.NewReader("x"))
	require.NoError(t, err)
	tests := []struct {
		name        string
		path        string // below a directory that has the file "file"
		wantDir     string // the directory that the error names
		wantMissing bool   // whether it is missing, and not a file
	}{
		{name: "missing directory", path: "none/x", wantDir: "none", wantMissing: true},
		{name: "two missing directories", path: "none/deep/x", wantDir: "none/deep", wantMissing: true},
		{name: "file as directory", path: "file/x", wantDir: "file"},
		{name: "file as parent of the directory", path: "file/deep/x", wantDir: "file/deep"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte("kept"), 0o644))
			path := filepath.Join(dir, tt.path)

			_, err := storage.DownloadFile(t.Context(), b, "key", path)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.Equal(t, tt.wantMissing, errors.Is(err, fs.ErrNotExist))
			require.ErrorContains(t, err, filepath.Join(dir, tt.wantDir))
			require.NotContains(t, err.Error(), ".omnibucket-")

			// The path is refused even if the object is missing.
			_, err = storage.DownloadFile(t.Context(), b, "none", path)
			require.ErrorIs(t, err, storage.InvalidArgument)

			// The directory still has only "file".
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, entries, 1)
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

}

// An ObjectNotFound matches fs.ErrNotExist by errors.Is, but, as the documentation says, not by os.IsNotExist.
func TestObjectNotFoundIsNotExist(t *testing.T) {
	_, err := memstore.New().Attrs(t.Context(), "missing")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.False(t, os.IsNotExist(err))
}
