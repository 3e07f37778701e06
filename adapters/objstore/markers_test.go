package objstore

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	thanos "github.com/thanos-io/objstore"

	"github.com/omnibucket/storage/internal/testing/foldermarker"
)

// iterate returns the names that Iter visits. It fails after 100 of them, because a listing may not end if a folder seems
// to contain itself.
func iterate(t *testing.T, b thanos.Bucket, dir string, options ...thanos.IterOption) (names []string) {
	t.Helper()
	require.NoError(t, b.Iter(t.Context(), dir, func(name string) error {
		names = append(names, name)
		require.Less(t, len(names), 100, "it must end")
		return nil
	}, options...))
	return names
}

// Iter leaves out markers of folders, because Thanos' own buckets in a directory and in memory have none.
func TestIterLeavesOutFolderMarkers(t *testing.T) {
	bucket, put := foldermarker.New(t)
	// A key that ends in a slash is a marker.
	put("block/chunks/1", "block/meta.json", "empty/", "/")
	put(foldermarker.Of("block/chunks/1")...)
	b := New(bucket, Config{})

	tests := []struct {
		name, dir string
		options   []thanos.IterOption
		want      []string
	}{
		{name: "of the root", want: []string{"/", "block/", "empty/"}},
		{name: "of a folder", dir: "block", want: []string{"block/chunks/", "block/meta.json"}},
		{name: "of a folder with a slash", dir: "block/", want: []string{"block/chunks/", "block/meta.json"}},
		{name: "of an empty folder", dir: "empty", want: nil},
		{name: "of the folder without a name", dir: "/", want: nil},
		{
			name:    "everything",
			options: []thanos.IterOption{thanos.WithRecursiveIter()},
			want:    []string{"block/chunks/1", "block/meta.json"},
		},
		{
			name:    "everything in a folder",
			dir:     "block",
			options: []thanos.IterOption{thanos.WithRecursiveIter()},
			want:    []string{"block/chunks/1", "block/meta.json"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, iterate(t, b, tt.dir, tt.options...))
		})
	}
}

// Thanos can remove a block, file by file, from a bucket whose folders have markers.
func TestDeleteFolderWithMarkers(t *testing.T) {
	keys := []string{"block/chunks/1", "block/chunks/2", "block/meta.json", "other/meta.json"}
	bucket, put := foldermarker.New(t)
	put(keys...)
	put(foldermarker.Of(keys...)...)
	b := New(bucket, Config{})

	var removeTree func(name string) error
	removeTree = func(name string) error {
		if strings.HasSuffix(name, "/") {
			return b.Iter(t.Context(), name, removeTree)
		}
		return b.Delete(t.Context(), name)
	}
	require.NoError(t, removeTree("block/"))

	require.Equal(t, []string{"other/meta.json"}, iterate(t, b, "", thanos.WithRecursiveIter()))
}
