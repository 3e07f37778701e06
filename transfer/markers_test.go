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
	marked := func(t *testing.T) storage.Bucket {
		b, plant := foldermarker.New(t)
		plant(files...)
		plant(markers...)
		return b
	}
	// a file is no folder
	disk := map[string]string{"a/b/c": "a/b/c", "a/b.d": "a/b.d", "a/d": "a/d", "beside": "beside", "z": "z"}
	opts := []transfer.Option{transfer.WithExclude("beside/x")}

	t.Run("Download", func(t *testing.T) {
		dir := t.TempDir()
		report, err := transfer.Download(t.Context(), marked(t), dir, opts...)
		require.NoError(t, err)
		require.Equal(t, int64(len(disk)), report.Transferred)
		require.Equal(t, int64(len(markers)), report.Ignored)
		require.Equal(t, fingerprints(t, newTree(t, disk)), fingerprints(t, dir))
		require.NoDirExists(t, dir+"/a/empty", "a directory has no markers")
	})

	t.Run("Download of a folder", func(t *testing.T) {
		dir := t.TempDir()
		_, err := transfer.Download(t.Context(), storage.Prefixed(marked(t), "a/"), dir)
		require.NoError(t, err)
		require.Equal(t, fingerprints(t, newTree(t, map[string]string{"b/c": "a/b/c", "b.d": "a/b.d", "d": "a/d"})),
			fingerprints(t, dir))
	})

	t.Run("Copy", func(t *testing.T) {
		dst := memstore.New()
		_, err := transfer.Copy(t.Context(), dst, marked(t))
		require.NoError(t, err)
		require.ElementsMatch(t, files, foldermarker.Keys(t, dst))
	})

	t.Run("Sync deletes files, and leaves the markers of the destination", func(t *testing.T) {
		dst := marked(t)
		dir := newTree(t, map[string]string{"a/d": "a/d", "new/file": "x"})
		report, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Dir(dir),
			transfer.WithDelete())
		require.NoError(t, err)
		require.Equal(t, int64(len(files)-1), report.Deleted)
		require.ElementsMatch(t, append([]string{"a/d", "new/file"}, markers...), foldermarker.Keys(t, dst))
	})

	t.Run("Sync of a tree with markers deletes what is not there", func(t *testing.T) {
		dir := newTree(t, map[string]string{"a/empty/file": "x", "a/d": "old"})
		report, err := transfer.Sync(t.Context(), transfer.Dir(dir), transfer.Bucket(marked(t)),
			append(opts, transfer.WithDelete())...)
		require.NoError(t, err)
		require.Equal(t, int64(1), report.Deleted)
		require.Equal(t, fingerprints(t, newTree(t, disk)), fingerprints(t, dir))
	})

	t.Run("Sync finds both sides the same", func(t *testing.T) {
		dir := t.TempDir()
		b := marked(t)
		for _, transferred := range []int{len(disk), 0} {
			report, err := transfer.Sync(t.Context(), transfer.Dir(dir), transfer.Bucket(b),
				append(opts, transfer.WithDelete())...)
			require.NoError(t, err)
			require.Equal(t, int64(transferred), report.Transferred)
			require.Zero(t, report.Deleted)
		}
	})

	t.Run("Compare finds both sides the same", func(t *testing.T) {
		for name, pair := range map[string][2]transfer.End{
			"a marked bucket and a directory":      {transfer.Bucket(marked(t)), transfer.Dir(newTree(t, disk))},
			"a directory and a marked bucket":      {transfer.Dir(newTree(t, disk)), transfer.Bucket(marked(t))},
			"a marked bucket and one without them": {transfer.Bucket(marked(t)), transfer.Bucket(newFilledBucket(t, files))},
		} {
			var different []string
			_, err := transfer.Compare(t.Context(), pair[0], pair[1], func(d transfer.Difference) {
				different = append(different, d.Key)
			}, append(opts, transfer.WithSizeOnly())...)
			require.NoError(t, err, name)
			require.Empty(t, different, name)
		}
	})

	t.Run("a move", func(t *testing.T) {
		src := marked(t)
		dst := memstore.New()
		_, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), transfer.WithMove())
		require.NoError(t, err)
		require.ElementsMatch(t, files, foldermarker.Keys(t, dst))
		require.ElementsMatch(t, markers, foldermarker.Keys(t, src))
	})

	t.Run("Remove removes the tree with its markers", func(t *testing.T) {
		b := marked(t)
		_, err := transfer.Remove(t.Context(), b, transfer.WithPrefix("a/"))
		require.NoError(t, err)
		require.ElementsMatch(t, []string{"beside", "beside/", "beside/x", "z"}, foldermarker.Keys(t, b))
	})
}
