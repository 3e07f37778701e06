package rclone

import (
	"context"
	"path"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/foldermarker"
)

// A markingFs is a remote that lists the markers of folders, which other backends leave out. Markers are empty objects
// whose names end in a slash.
type markingFs struct {
	fs.Fs
	empty fs.Object // an empty object of the remote, which all markers show under their own names
}

// A marker is an object of rclone for a folder marker. It has the marker's name.
type marker struct {
	fs.Object
	name string
}

func (m marker) Remote() string { return m.name }

// List returns the entries of a folder, a marker beside each folder in it, and the marker of the folder itself.
func (f *markingFs) List(ctx context.Context, dir string) (fs.DirEntries, error) {
	entries, err := f.Fs.List(ctx, dir)
	for _, entry := range entries {
		if _, isFolder := entry.(fs.Directory); isFolder {
			entries = append(entries, marker{Object: f.empty, name: entry.Remote() + "/"})
		}
	}
	ownName := strings.TrimPrefix(dir+"/", "/")
	return append(entries, marker{Object: f.empty, name: ownName}), err
}

// A listing does not show markers of folders, which are empty objects whose names end in a slash.
func TestListLeavesOutFolderMarkers(t *testing.T) {
	// Store three objects, without markers.
	remote, err := fs.NewFs(t.Context(), t.TempDir())
	require.NoError(t, err)
	withoutMarkers, err := New(remote)
	require.NoError(t, err)
	keys := []string{"a/b/c", "a/d", "empty"}
	for _, key := range keys {
		_, err := withoutMarkers.Upload(t.Context(), key, strings.NewReader(""))
		require.NoError(t, err)
	}

	// markingFs adds a marker to each folder, which has the content of the object "empty".
	empty, err := remote.NewObject(t.Context(), "empty")
	require.NoError(t, err)
	b, err := New(&markingFs{Fs: remote, empty: empty})
	require.NoError(t, err)

	// A listing of everything has only the objects, also after a key.
	require.Equal(t, keys, foldermarker.Keys(t, b))
	keysAfterC := foldermarker.Keys(t, b, storage.WithStartAfter("a/b/c"))
	require.Equal(t, "d", path.Base(keysAfterC[0]))

	// A listing of one folder has its subfolders and objects.
	tests := []struct {
		folder string
		want   []string
	}{
		{folder: "", want: []string{"a/", "empty"}},
		{folder: "a/", want: []string{"a/b/", "a/d"}},
		{folder: "a/b/", want: []string{"a/b/c"}},
	}
	for _, tt := range tests {
		t.Run("folder "+tt.folder, func(t *testing.T) {
			got := foldermarker.Keys(t, b, storage.WithPrefix(tt.folder), storage.WithDelimiter("/"))
			require.Equal(t, tt.want, got)
		})
	}
}
