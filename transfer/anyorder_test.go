package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/keysort"
	"github.com/omnibucket/storage/memstore"
)

// inMapOrder yields n entries in the order of a map, one of them twice.
func inMapOrder(n int) iter.Seq2[storage.ListEntry, error] {
	all := map[string]storage.ListEntry{}
	for i := range n {
		e := storage.ListEntry{Key: fmt.Sprintf("%06d", i), Size: int64(i), ETag: `"e"`, Revision: "r", Modified: time.Unix(int64(i), 5).UTC()}
		all[e.Key] = e
	}
	return func(yield func(storage.ListEntry, error) bool) {
		for e := range maps.Values(all) {
			if !yield(e, nil) {
				return
			}
		}
		if n > 0 {
			yield(all["000000"], nil)
		}
	}
}

func temporaryFiles(t *testing.T) string {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	return dir
}

func filesIn(t *testing.T, dir string) (files []string) {
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && path != dir {
			files = append(files, path)
		}
		return err
	}))
	return files
}

func TestSortedYieldsEachKeyOnceInOrder(t *testing.T) {
	for name, row := range map[string]struct{ entries, memory int }{
		"nothing":   {0, 1},
		"in memory": {100, sortMemory},
		"on disk":   {2000, 10_000},
	} {
		t.Run(name, func(t *testing.T) {
			dir := temporaryFiles(t)
			n := 0
			for e, err := range sorted(t.Context(), inMapOrder(row.entries), row.memory) {
				require.NoError(t, err)
				require.Equal(t, storage.ListEntry{Key: fmt.Sprintf("%06d", n), Size: int64(n), ETag: `"e"`, Revision: "r", Modified: time.Unix(int64(n), 5).UTC()}, e)
				n++
			}
			require.Equal(t, row.entries, n)
			require.Empty(t, filesIn(t, dir))
		})
	}
}

func TestSortedLeavesNoFiles(t *testing.T) {
	failure := errors.New("the listing failed")
	failing := func(yield func(storage.ListEntry, error) bool) {
		for e, err := range inMapOrder(1000) {
			if !yield(e, err) {
				return
			}
		}
		yield(storage.ListEntry{}, failure)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, row := range map[string]struct {
		ctx  context.Context
		list iter.Seq2[storage.ListEntry, error]
		want error
	}{
		"after an error of the listing": {t.Context(), failing, failure},
		"if the caller leaves the loop": {t.Context(), inMapOrder(1000), nil},
		"if ctx is done":                {canceled, inMapOrder(1000), context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			dir := temporaryFiles(t)
			n := 0
			var last error
			for _, err := range sorted(row.ctx, row.list, 10_000) {
				last = err
				if n == 3 {
					break
				}
				n++
			}
			require.ErrorIs(t, last, row.want)
			require.Empty(t, filesIn(t, dir))
		})
	}
}

// If the directory for temporary files is missing, jobs fail with InvalidArgument, not with ObjectNotFound.
func TestSortedMissingTemporaryDirectory(t *testing.T) {
	for name, run := range map[string]func() error{
		"a sort": func() (last error) {
			for _, last = range sorted(t.Context(), inMapOrder(1000), 10_000) {
			}
			return last
		},
		"keys to remove": func() error {
			j := &job{extraneous: keysort.New(1)}
			require.NoError(t, j.removeLater(t.Context(), entry{key: "a"}))
			return j.removeLater(t.Context(), entry{key: "b"})
		},
		"an inventory": func() error {
			reports := memstore.New()
			_, err := reports.Upload(t.Context(), "file", strings.NewReader("x"))
			require.NoError(t, err)
			_, _, err = (&Inventory{reports: reports}).fetch(t.Context(), inventoryFile{key: "file", size: -1})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(temporaryFiles(t), "missing")
			t.Setenv("TMPDIR", dir)
			t.Setenv("TMP", dir)
			err := run()
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
			require.ErrorIs(t, err, fs.ErrNotExist)
			require.ErrorContains(t, err, fmt.Sprintf("create the directory %q", dir))
		})
	}
}

// If source and destination list keys in any order, Sync still transfers, deletes and skips the right files.
func TestJobsListInAnyOrder(t *testing.T) {
	dir := temporaryFiles(t)
	ctx := t.Context()
	src := inAnyOrder(t)
	dst := inAnyOrder(t)
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
	require.Empty(t, filesIn(t, dir))
}

func inAnyOrder(t *testing.T) storage.Bucket {
	b := engine.New(memstore.NewDriver(memstore.Config{AnyOrder: true}))
	t.Cleanup(func() { _ = storage.Close(b) })
	return b
}
