package storage_test

import (
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/foldermarker"
)

// Consoles and rclone mark a folder by an empty object. FS shows such an object as a directory.
func TestFSWithFolderMarkers(t *testing.T) {
	tree := []string{"a/b/c/file", "a/b/file", "a/beside", "a/beside/file", "empty/deep/", "top"}
	noPaths := []string{"/", "/rooted", "a//nameless", "a//"}

	markers := foldermarker.Of(tree...)

	// The first bucket has the tree, its markers, and keys that are no paths. The functions of foldermarker store all of
	// them, although the engine refuses some.
	first, storeInFirst := foldermarker.New(t)
	storeInFirst(tree...)
	storeInFirst(markers...)
	storeInFirst(noPaths...)

	// The second bucket has the tree and its markers below a prefix, and a marker for the prefix itself.
	second, storeInSecond := foldermarker.New(t)
	storeInSecond("pre/fix/")
	for _, key := range slices.Concat(tree, markers) {
		storeInSecond("pre/fix/" + key)
	}

	for name, bucket := range map[string]storage.Bucket{
		"a bucket": first,
		"a view":   storage.Prefixed(second, "pre/fix/"),
	} {
		t.Run(name, func(t *testing.T) {
			// The file system obeys all rules of package fs.
			files := storage.FS(t.Context(), bucket)
			require.NoError(t,
				fstest.TestFS(files, "a/b/c/file", "a/b/file", "a/beside/file", "empty/deep", "top"))

			// A walk shows each folder once, and no key that is not a path.
			require.Equal(t, []string{
				".",
				"a", "a/b", "a/b/c", "a/b/c/file", "a/b/file", "a/beside", "a/beside/file",
				"empty", "empty/deep",
				"top",
			}, walkPaths(t, files))

			// The other functions see the same folders.
			sub, err := fs.Sub(files, "a/b")
			require.NoError(t, err)
			require.Equal(t, []string{".", "c", "c/file", "file"}, walkPaths(t, sub))

			matches, err := fs.Glob(files, "*/*")
			require.NoError(t, err)
			require.Equal(t, []string{"a/b", "a/beside", "empty/deep"}, matches)

			// A folder that has only its marker is an empty directory.
			entries, err := fs.ReadDir(files, "empty/deep")
			require.NoError(t, err)
			require.Empty(t, entries)

			info, err := fs.Stat(files, "empty/deep")
			require.NoError(t, err)
			require.True(t, info.IsDir())
		})
	}
}

// walkPaths returns the paths that fs.WalkDir visits.
func walkPaths(t *testing.T, files fs.FS) (paths []string) {
	t.Helper()
	require.NoError(t, fs.WalkDir(files, ".", func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		require.Less(t, len(paths), 100, "it must end")
		return err
	}))
	return paths
}
