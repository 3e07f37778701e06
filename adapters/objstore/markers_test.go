package objstore

import (
	"testing"

	"github.com/stretchr/testify/require"
	thanos "github.com/thanos-io/objstore"

	"github.com/omnibucket/storage/internal/testing/foldermarker"
)

func iterated(t *testing.T, b thanos.Bucket, dir string, options ...thanos.IterOption) (names []string) {
	t.Helper()
	require.NoError(t, b.Iter(t.Context(), dir, func(name string) error {
		names = append(names, name)
		require.Less(t, len(names), 100, "it must end")
		return nil
	}, options...))
	return names
}

// Iter leaves out folder markers, because Thanos' own buckets in a directory and in memory have none.
func TestIterLeavesOutFolderMarkers(t *testing.T) {
	bucket, plant := foldermarker.New(t)
	plant("block/chunks/1", "block/meta.json", "empty/", "/")
	plant(foldermarker.Of("block/chunks/1")...)
	b := New(bucket, Config{})
	for _, row := range []struct {
		name, dir string
		options   []thanos.IterOption
		want      []string
	}{
		{"of the root", "", nil, []string{"/", "block/", "empty/"}},
		{"of a folder", "block", nil, []string{"block/chunks/", "block/meta.json"}},
		{"of a folder with a slash", "block/", nil, []string{"block/chunks/", "block/meta.json"}},
		{"of an empty folder", "empty", nil, nil},
		{"of the folder without a name", "/", nil, nil},
		{"everything", "", []thanos.IterOption{thanos.WithRecursiveIter()}, []string{"block/chunks/1", "block/meta.json"}},
		{"everything in a folder", "block", []thanos.IterOption{thanos.WithRecursiveIter()}, []string{"block/chunks/1", "block/meta.json"}},
	} {
		t.Run(row.name, func(t *testing.T) { require.Equal(t, row.want, iterated(t, b, row.dir, row.options...)) })
	}
}

// Thanos can remove a block, file by file, from a bucket with folder markers.
func TestDeleteFolderWithMarkers(t *testing.T) {
	bucket, plant := foldermarker.New(t)
	plant("block/chunks/1", "block/chunks/2", "block/meta.json", "other/meta.json")
	plant(foldermarker.Of(foldermarker.Keys(t, bucket)...)...)
	b := New(bucket, Config{})
	var remove func(name string) error
	remove = func(name string) error {
		if name[len(name)-1] == '/' {
			return b.Iter(t.Context(), name, remove)
		}
		return b.Delete(t.Context(), name)
	}
	require.NoError(t, remove("block/"))
	require.Equal(t, []string{"other/meta.json"}, iterated(t, b, "", thanos.WithRecursiveIter()))
}
