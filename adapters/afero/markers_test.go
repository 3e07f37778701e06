package afero

import (
	"io/fs"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/foldermarker"
)

// walkPaths returns the paths of a tree. It fails after 100 of them, because a walk may not end if a folder seems to
// contain itself.
func walkPaths(t *testing.T, files afero.Fs, root string) (paths []string) {
	t.Helper()
	require.NoError(t, afero.Walk(files, root, func(path string, _ fs.FileInfo, err error) error {
		paths = append(paths, path)
		require.Less(t, len(paths), 100, "it must end")
		return err
	}))
	return paths
}

// A tree with markers of folders, the empty objects that consoles and rclone store, is walked, removed and renamed like
// any other.
func TestWalkWithFolderMarkers(t *testing.T) {
	const ownMarker = "a/marked/" + Marker
	keys := []string{
		"a/b/file",
		"a/file",
		"a/empty/",
		ownMarker,
		"z",
		// These folders have an empty name, so that no path can name them.
		"a//nameless",
		"/",
		"/x",
	}
	// newTree stores the keys, and a marker for each folder above them, such as "a/" and "a/b/".
	newTree := func(t *testing.T) (afero.Fs, storage.Bucket) {
		b, put := foldermarker.New(t)
		put(keys...)
		put(foldermarker.Of(keys...)...)
		return New(t.Context(), b), b
	}

	t.Run("Walk", func(t *testing.T) {
		files, _ := newTree(t)

		require.Equal(t,
			[]string{"a", "a/b", "a/b/file", "a/empty", "a/file", "a/marked"},
			walkPaths(t, files, "a"))
		require.Equal(t,
			[]string{"", "a", "a/b", "a/b/file", "a/empty", "a/file", "a/marked", "z"},
			walkPaths(t, files, ""))
	})
	t.Run("RemoveAll", func(t *testing.T) {
		files, b := newTree(t)

		require.NoError(t, files.RemoveAll("a"))
		// Nothing below a is left, not even the object without a path.
		require.Equal(t, []string{"/", "/x", "z"}, foldermarker.Keys(t, b))
	})
	t.Run("Remove of each folder", func(t *testing.T) {
		files, b := newTree(t)

		require.Error(t, files.Remove("a/b"), "must not remove what is not empty")
		for _, name := range []string{"a/b/file", "a/b", "a/empty", "a/marked"} {
			require.NoError(t, files.Remove(name), name)
		}
		// The markers of these folders are gone. Only a/file, the object without a path and the markers above them are
		// left.
		require.Equal(t,
			[]string{"a/", "a//", "a//nameless", "a/file"},
			foldermarker.Keys(t, b, storage.WithPrefix("a/")))
	})
	t.Run("Rename", func(t *testing.T) {
		b, put := foldermarker.New(t)
		put("a/b/file", "a/empty/", "a/", "a/b/")
		files := New(t.Context(), b)

		require.NoError(t, files.Rename("a", "new"))
		require.Equal(t, []string{"new", "new/b", "new/b/file", "new/empty"}, walkPaths(t, files, "new"))
	})
}
