package storage_test

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/foldermarker"
)

// FS takes the empty objects with which consoles and rclone mark folders for directories.
func TestFSWithFolderMarkers(t *testing.T) {
	tree := []string{"a/b/c/file", "a/b/file", "a/beside", "a/beside/file", "empty/deep/", "top"}
	noPaths := []string{"/", "/rooted", "a//nameless", "a//"}
	all, plant := foldermarker.New(t)
	plant(tree...)
	plant(noPaths...)
	plant(foldermarker.Of(tree...)...)
	below, plantBelow := foldermarker.New(t)
	for _, key := range append(append([]string{""}, tree...), foldermarker.Of(tree...)...) {
		plantBelow("pre/fix/" + key)
	}

	for name, b := range map[string]storage.Bucket{"a bucket": all, "a view": storage.Prefixed(below, "pre/fix/")} {
		t.Run(name, func(t *testing.T) {
			files := storage.FS(t.Context(), b)
			require.NoError(t,
				fstest.TestFS(files, "a/b/c/file", "a/b/file", "a/beside/file", "empty/deep", "top"))

			require.Equal(t, []string{
				".", "a", "a/b", "a/b/c", "a/b/c/file", "a/b/file", "a/beside", "a/beside/file", "empty", "empty/deep", "top",
			}, walkPaths(t, files))

			sub, err := fs.Sub(files, "a/b")
			require.NoError(t, err)
			require.Equal(t, []string{".", "c", "c/file", "file"}, walkPaths(t, sub))

			matches, err := fs.Glob(files, "*/*")
			require.NoError(t, err)
			require.Equal(t, []string{"a/b", "a/beside", "empty/deep"}, matches)

			entries, err := fs.ReadDir(files, "empty/deep")
			require.NoError(t, err)
			require.Empty(t, entries)

			info, err := fs.Stat(files, "empty/deep")
			require.NoError(t, err)
			require.True(t, info.IsDir())
		})
	}
}

func walkPaths(t *testing.T, files fs.FS) (paths []string) {
	t.Helper()
	require.NoError(t, fs.WalkDir(files, ".", func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		require.Less(t, len(paths), 100, "it must end")
		return err
	}))
	return paths
}
