package listing

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// inMapOrder yields n entries in the order of a map, one of them twice.
func inMapOrder(n int) iter.Seq2[storage.ListEntry, error] {
	all := map[string]storage.ListEntry{}
	for i := range n {
		e := storage.ListEntry{
			Key:      fmt.Sprintf("%06d", i),
			Size:     int64(i),
			ETag:     `"e"`,
			Revision: "r",
			Modified: time.Unix(int64(i), 5).UTC(),
		}
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

// filesIn returns the paths of all files and directories below dir.
func filesIn(t *testing.T, dir string) (files []string) {
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && path != dir {
			files = append(files, path)
		}
		return err
	}))
	return files
}

// A sorted listing yields each key once, in order.
func TestSortedYieldsEachKeyOnceInOrder(t *testing.T) {
	tests := map[string]struct{ entries, memory int }{
		"nothing":   {entries: 0, memory: 1},
		"in memory": {entries: 100, memory: Memory},
		"on disk":   {entries: 2000, memory: 10_000},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := temporaryFiles(t)
			n := 0
			for e, err := range SortByKey(t.Context(), inMapOrder(tt.entries), tt.memory) {
				require.NoError(t, err)
				require.Equal(t, storage.ListEntry{Key: fmt.Sprintf("%06d", n), Size: int64(n), ETag: `"e"`, Revision: "r", Modified: time.Unix(int64(n), 5).UTC()}, e)
				n++
			}
			require.Equal(t, tt.entries, n)
			require.Empty(t, filesIn(t, dir))
		})
	}
}

// A sorted listing removes its temporary files, however it ends.
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

	tests := map[string]struct {
		ctx  context.Context
		list iter.Seq2[storage.ListEntry, error]
		want error
	}{
		"after an error of the listing": {ctx: t.Context(), list: failing, want: failure},
		"if the caller leaves the loop": {ctx: t.Context(), list: inMapOrder(1000), want: nil},
		"if ctx is done":                {ctx: canceled, list: inMapOrder(1000), want: context.Canceled},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := temporaryFiles(t)
			n := 0
			var last error
			for _, err := range SortByKey(tt.ctx, tt.list, 10_000) {
				last = err
				if n == 3 {
					break
				}
				n++
			}
			require.ErrorIs(t, last, tt.want)
			require.Empty(t, filesIn(t, dir))
		})
	}
}

// If the directory for temporary files is missing, a sort fails with InvalidArgument, not with ObjectNotFound.
func TestSortedMissingTemporaryDirectory(t *testing.T) {
	dir := filepath.Join(temporaryFiles(t), "missing")
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	var last error
	for _, last = range SortByKey(t.Context(), inMapOrder(1000), 10_000) {
	}
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(last))
	require.ErrorIs(t, last, fs.ErrNotExist)
	require.ErrorContains(t, last, fmt.Sprintf("create the directory %q", dir))
}
