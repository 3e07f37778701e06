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

// A markingFs shows the markers of folders as objects, whose names end in a slash: one in each folder for the
// folder itself, and one beside each folder. It stands for a
// backend that does not leave them out.
type markingFs struct {
	fs.Fs
	marker fs.Object
}

type marker struct {
	fs.Object
	name string
}

func (m marker) Remote() string { return m.name }

func (f *markingFs) List(ctx context.Context, dir string) (fs.DirEntries, error) {
	entries, err := f.Fs.List(ctx, dir)
	for _, entry := range entries {
		if _, folder := entry.(fs.Directory); folder {
			entries = append(entries, marker{f.marker, entry.Remote() + "/"})
		}
	}
	return append(entries, marker{f.marker, strings.TrimPrefix(dir+"/", "/")}), err
}

// A listing does not show objects that mark folders.
func TestListLeavesOutFolderMarkers(t *testing.T) {
	remote, err := fs.NewFs(t.Context(), t.TempDir())
	require.NoError(t, err)
	bucket, err := New(remote)
	require.NoError(t, err)
	keys := []string{"a/b/c", "a/d", "empty"}
	for _, key := range keys {
		_, err := bucket.Upload(t.Context(), key, strings.NewReader(""))
		require.NoError(t, err)
	}
	empty, err := remote.NewObject(t.Context(), "empty")
	require.NoError(t, err)
	b, err := New(&markingFs{remote, empty})
	require.NoError(t, err)

	require.Equal(t, keys, foldermarker.Keys(t, b))
	for folder, want := range map[string][]string{
		"":     {"a/", "empty"},
		"a/":   {"a/b/", "a/d"},
		"a/b/": {"a/b/c"},
	} {
		require.Equal(t, want,
			foldermarker.Keys(t, b, storage.WithPrefix(folder), storage.WithDelimiter("/")), folder)
	}
	require.Equal(t, "d", path.Base(foldermarker.Keys(t, b, storage.WithStartAfter("a/b/c"))[0]))
}
