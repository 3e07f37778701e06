package transfer_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/foldermarker"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// Consoles and rclone mark a folder by an empty object. Download, Copy, Sync and Compare skip such markers. Remove
// removes them.
func TestJobsSkipFolderMarkers(t *testing.T) {
	files := []string{"a/b/c", "a/b.d", "a/d", "beside", "beside/x", "z"}
	markers := append(foldermarker.Of(files...), "a/empty/deep/", "a/empty/")
	newMarkedBucket := func(t *testing.T) storage.Bucket {
		b, plant := foldermarker.New(t)
		plant(files...)
		plant(markers...)
		return b
	}

	// A directory cannot have both a file "beside" and a folder "beside". So the jobs exclude
	// "beside/x".
	dirFiles := map[string]string{"a/b/c": "a/b/c", "a/b.d": "a/b.d", "a/d": "a/d", "beside": "beside", "z": "z"}
	opts := []transfer.Option{transfer.WithExclude("beside/x")}

	t.Run("Download", func(t *testing.T) {
		dir := t.TempDir()
		report, err := transfer.Download(t.Context(), newMarkedBucket(t), dir, opts...)
		require.NoError(t, err)
		require.Equal(t, int64(len(dirFiles)), report.Transferred)
		require.Equal(t, int64(len(markers)), report.Ignored)
		require.Equal(t, fingerprints(t, newTree(t, dirFiles)), fingerprints(t, dir))
		require.NoDirExists(t, dir+"/a/empty", "a directory has no markers")
	})

	t.Run("Download of a folder", func(t *testing.T) {
		dir := t.TempDir()
		_, err := transfer.Download(t.Context(), storage.Prefixed(newMarkedBucket(t), "a/"), dir)
		require.NoError(t, err)
		want := map[string]string{"b/c": "a/b/c", "b.d": "a/b.d", "d": "a/d"}
		require.Equal(t, fingerprints(t, newTree(t, want)), fingerprints(t, dir))
	})

	t.Run("Copy", func(t *testing.T) {
		dst := memstore.New()
		_, err := transfer.Copy(t.Context(), dst, newMarkedBucket(t))
		require.NoError(t, err)
		require.ElementsMatch(t, files, foldermarker.Keys(t, dst))
	})

	t.Run("Sync deletes files, and leaves the markers of the destination", func(t *testing.T) {
		dst := newMarkedBucket(t)
		dir := newTree(t, map[string]string{"a/d": "a/d", "new/file": "x"})

		report, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Dir(dir),
			transfer.WithDelete())
		require.NoError(t, err)
		require.Equal(t, int64(len(files)-1), report.Deleted, "all files but a/d")
		require.ElementsMatch(t, append([]string{"a/d", "new/file"}, markers...), foldermarker.Keys(t, dst))
	})

	t.Run("Sync of a tree with markers deletes what is not there", func(t *testing.T) {
		dir := newTree(t, map[string]string{"a/empty/file": "x", "a/d": "old"})

		report, err := transfer.Sync(t.Context(), transfer.Dir(dir), transfer.Bucket(newMarkedBucket(t)),
			append(opts, transfer.WithDelete())...)
		require.NoError(t, err)
		require.Equal(t, int64(1), report.Deleted, "a/empty/file")
		require.Equal(t, fingerprints(t, newTree(t, dirFiles)), fingerprints(t, dir))
	})

	t.Run("Sync finds both sides the same", func(t *testing.T) {
		dir := t.TempDir()
		b := newMarkedBucket(t)
		// The first job transfers all files, and the second one none.
		for _, wantTransferred := range []int{len(dirFiles), 0} {
			report, err := transfer.Sync(t.Context(), transfer.Dir(dir), transfer.Bucket(b),
				append(opts, transfer.WithDelete())...)
			require.NoError(t, err)
			require.Equal(t, int64(wantTransferred), report.Transferred)
			require.Zero(t, report.Deleted)
		}
	})

	t.Run("Compare finds both sides the same", func(t *testing.T) {
		markedEnd := transfer.Bucket(newMarkedBucket(t))
		unmarkedEnd := transfer.Bucket(newFilledBucket(t, files))
		dirEnd := transfer.Dir(newTree(t, dirFiles))
		tests := []struct {
			name          string
			first, second transfer.End
		}{
			{name: "a marked bucket and a directory", first: markedEnd, second: dirEnd},
			{name: "a directory and a marked bucket", first: dirEnd, second: markedEnd},
			{name: "a marked bucket and one without them", first: markedEnd, second: unmarkedEnd},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				var differentKeys []string
				collect := func(d transfer.Difference) {
					differentKeys = append(differentKeys, d.Key)
				}
				_, err := transfer.Compare(t.Context(), tt.first, tt.second, collect,
					append(opts, transfer.WithSizeOnly())...)
				require.NoError(t, err)
				require.Empty(t, differentKeys)
			})
		}
	})

	t.Run("a move leaves the markers at the source", func(t *testing.T) {
		src := newMarkedBucket(t)
		dst := memstore.New()
		_, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), transfer.WithMove())
		require.NoError(t, err)
		require.ElementsMatch(t, files, foldermarker.Keys(t, dst))
		require.ElementsMatch(t, markers, foldermarker.Keys(t, src))
	})

	t.Run("Remove removes the tree with its markers", func(t *testing.T) {
		b := newMarkedBucket(t)
		_, err := transfer.Remove(t.Context(), b, transfer.WithPrefix("a/"))
		require.NoError(t, err)
		require.ElementsMatch(t, []string{"beside", "beside/", "beside/x", "z"}, foldermarker.Keys(t, b))
	})
}
