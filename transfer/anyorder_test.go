package transfer

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/keysort"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer/internal/ends"
)

// emptyTempDir makes an empty directory the one for temporary files, and returns it.
func emptyTempDir(t *testing.T) string {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	return dir
}

// namesIn returns the paths of all files and directories below dir.
func namesIn(t *testing.T, dir string) (files []string) {
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && path != dir {
			files = append(files, path)
		}
		return err
	}))
	return files
}

// A job needs a temporary file for the keys to remove. If the directory for temporary files is
// missing, it fails with InvalidArgument and not with ObjectNotFound.
func TestMissingTemporaryDirectory(t *testing.T) {
	dir := filepath.Join(emptyTempDir(t), "missing")
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)

	// The second key no longer fits into memory.
	j := &job{extraneous: keysort.New(1)}
	require.NoError(t, j.removeLater(t.Context(), ends.Entry{Key: "a"}))
	err := j.removeLater(t.Context(), ends.Entry{Key: "b"})
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, fmt.Sprintf("create the directory %q", dir))
}

// Sync transfers, deletes and skips the right files even if source and destination list keys in any
// order.
func TestJobsListInAnyOrder(t *testing.T) {
	tempDir := emptyTempDir(t)
	ctx := t.Context()
	src := newUnorderedBucket(t)
	dst := newUnorderedBucket(t)

	keys := []string{"a", "b-1", "b/1", "b/2", "c0", "d"}
	for _, key := range keys {
		_, err := src.Upload(ctx, key, strings.NewReader(key))
		require.NoError(t, err)
	}
	_, err := dst.Upload(ctx, "old", strings.NewReader("x"))
	require.NoError(t, err)

	report, err := Sync(ctx, Bucket(dst), Bucket(src), WithDelete())
	require.NoError(t, err)
	require.EqualValues(t, len(keys), report.Transferred)
	require.EqualValues(t, 1, report.Deleted)

	// The second job finds nothing to do.
	report, err = Sync(ctx, Bucket(dst), Bucket(src))
	require.NoError(t, err)
	require.Zero(t, report.Transferred)
	require.EqualValues(t, len(keys), report.Skipped)

	// The destination has the keys of the source, and the job has left no temporary file.
	var listed []string
	for entry, err := range dst.List(ctx, storage.WithAnyOrder()) {
		require.NoError(t, err)
		listed = append(listed, entry.Key)
	}
	require.Equal(t, keys, slices.Sorted(slices.Values(listed)))

	require.NoError(t, storage.Close(dst))
	require.Empty(t, namesIn(t, tempDir), "temporary files are left")
}

func newUnorderedBucket(t *testing.T) storage.Bucket {
	b := engine.New(memstore.NewDriver(memstore.Config{AnyOrder: true}))
	t.Cleanup(func() { _ = storage.Close(b) })
	return b
}
