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

// If the directory for temporary files is missing, the keys to remove cannot be kept. The job fails with
// InvalidArgument, not with ObjectNotFound.
func TestMissingTemporaryDirectory(t *testing.T) {
	dir := filepath.Join(emptyTempDir(t), "missing")
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	j := &job{extraneous: keysort.New(1)}
	require.NoError(t, j.removeLater(t.Context(), ends.Entry{Key: "a"}))

	err := j.removeLater(t.Context(), ends.Entry{Key: "b"})
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, fmt.Sprintf("create the directory %q", dir))
}

// If source and destination list keys in any order, Sync still transfers, deletes and skips the right files.
func TestJobsListInAnyOrder(t *testing.T) {
	dir := emptyTempDir(t)
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

	report, err = Sync(ctx, Bucket(dst), Bucket(src))
	require.NoError(t, err)
	require.EqualValues(t, 0, report.Transferred)
	require.EqualValues(t, len(keys), report.Skipped)

	var listed []string
	for e, err := range dst.List(ctx, storage.WithAnyOrder()) {
		require.NoError(t, err)
		listed = append(listed, e.Key)
	}
	require.Equal(t, keys, slices.Sorted(slices.Values(listed)))

	require.NoError(t, storage.Close(dst))
	require.Empty(t, namesIn(t, dir))
}

func newUnorderedBucket(t *testing.T) storage.Bucket {
	b := engine.New(memstore.NewDriver(memstore.Config{AnyOrder: true}))
	t.Cleanup(func() { _ = storage.Close(b) })
	return b
}
