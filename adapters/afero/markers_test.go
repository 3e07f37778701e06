package afero

import (
	"io/fs"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/foldermarker"
)

func walkPaths(t *testing.T, files afero.Fs, root string) (paths []string) {
	t.Helper()
	require.NoError(t, afero.Walk(files, root, func(path string, _ fs.FileInfo, err error) error {
		paths = append(paths, path)
		require.Less(t, len(paths), 100, "it must end")
		return err
	}))
	return paths
}

// Consoles and rclone mark each folder by an object whose key ends in a slash.
func TestWalkWithFolderMarkers(t *testing.T) {
	tree := []string{"a/b/file", "a/file", "a/empty/", "a/marked/" + Marker, "a//nameless", "/", "/x", "z"}
	open := func(t *testing.T) (afero.Fs, storage.Bucket) {
		b, plant := foldermarker.New(t)
		plant(tree...)
		plant(foldermarker.Of(tree...)...)
		return New(t.Context(), b), b
	}

	t.Run("is walked", func(t *testing.T) {
		files, _ := open(t)
		want := []string{"a", "a/b", "a/b/file", "a/empty", "a/file", "a/marked"}
		require.Equal(t, want, walkPaths(t, files, "a"))
		require.Equal(t, append(append([]string{""}, want...), "z"), walkPaths(t, files, ""))
	})
	t.Run("is removed", func(t *testing.T) {
		files, b := open(t)
		require.NoError(t, files.RemoveAll("a"))
		require.Equal(t, []string{"/", "/x", "z"}, foldermarker.Keys(t, b))
	})
	t.Run("is removed folder by folder", func(t *testing.T) {
		files, b := open(t)
		require.Error(t, files.Remove("a/b"), "it is not empty")
		for _, name := range []string{"a/b/file", "a/b", "a/empty", "a/marked"} {
			require.NoError(t, files.Remove(name), name)
		}
		require.Equal(t, []string{"a/", "a//", "a//nameless", "a/file"},
			foldermarker.Keys(t, b, storage.WithPrefix("a/")))
	})
	t.Run("gets a new name", func(t *testing.T) {
		b, plant := foldermarker.New(t)
		plant("a/b/file", "a/empty/", "a/", "a/b/")
		files := New(t.Context(), b)
		require.NoError(t, files.Rename("a", "new"))
		require.Equal(t, []string{"new", "new/b", "new/b/file", "new/empty"}, walkPaths(t, files, "new"))
	})
}
