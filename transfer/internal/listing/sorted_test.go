package listing

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// unsortedEntries yields n entries in the random order of a map. If n is not 0, the entry "000000"
// comes once more at the end.
func unsortedEntries(n int) iter.Seq2[storage.ListEntry, error] {
	entries := map[string]storage.ListEntry{}
	for i := range n {
		e := newEntry(i)
		entries[e.Key] = e
	}
	return func(yield func(storage.ListEntry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
		if n > 0 {
			yield(entries["000000"], nil)
		}
	}
}

// newEntry returns the entry with the number i. In the order of keys, the entry has this place.
func newEntry(i int) storage.ListEntry {
	return storage.ListEntry{
		Key:      fmt.Sprintf("%06d", i),
		Size:     int64(i),
		ETag:     `"e"`,
		Revision: "r",
		Modified: time.Unix(int64(i), 5).UTC(),
	}
}

// setTempDir makes the test store its temporary files in a new directory, and returns this
// directory.
func setTempDir(t *testing.T) string {
	t.Helper()
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

// SortByKey yields each key once, in order, and leaves no temporary files.
func TestSortedYieldsEachKeyOnceInOrder(t *testing.T) {
	tests := []struct {
		name    string
		entries int
		memory  int // bytes
	}{
		{name: "nothing", entries: 0, memory: 1},
		{name: "in memory", entries: 100, memory: Memory},
		{name: "on disk", entries: 2000, memory: 10_000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := setTempDir(t)

			count := 0
			for entry, err := range SortByKey(t.Context(), unsortedEntries(tt.entries), tt.memory) {
				require.NoError(t, err)
				require.Equal(t, newEntry(count), entry)
				count++
			}

			require.Equal(t, tt.entries, count)
			require.Empty(t, filesIn(t, dir))
		})
	}
}

// SortByKey removes its temporary files, however it ends.
func TestSortedLeavesNoFiles(t *testing.T) {
	const entries = 1000
	errListing := errors.New("the listing failed")
	failing := func(yield func(storage.ListEntry, error) bool) {
		for entry, err := range unsortedEntries(entries) {
			if !yield(entry, err) {
				return
			}
		}
		yield(storage.ListEntry{}, errListing)
	}
	canceledCtx, cancel := context.WithCancel(t.Context())
	cancel()

	tests := []struct {
		name string
		ctx  context.Context
		list iter.Seq2[storage.ListEntry, error]
		want error
	}{
		{name: "after an error of the listing", ctx: t.Context(), list: failing, want: errListing},
		{name: "if the caller leaves the loop", ctx: t.Context(), list: unsortedEntries(entries), want: nil},
		{name: "if ctx is done", ctx: canceledCtx, list: unsortedEntries(entries), want: context.Canceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const memory = 10_000 // less than the entries need
			dir := setTempDir(t)

			// Take at most four entries, and remember the last error.
			count := 0
			var last error
			for _, err := range SortByKey(tt.ctx, tt.list, memory) {
				last = err
				if count == 3 {
					break
				}
				count++
			}
			require.ErrorIs(t, last, tt.want)
			require.Empty(t, filesIn(t, dir))
		})
	}
}

// If the directory for temporary files is missing, SortByKey fails with InvalidArgument, and not
// with ObjectNotFound.
func TestSortedMissingTemporaryDirectory(t *testing.T) {
	dir := filepath.Join(setTempDir(t), "missing")
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)

	var last error
	for _, last = range SortByKey(t.Context(), unsortedEntries(1000), 10_000) {
	}
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(last))
	require.ErrorIs(t, last, fs.ErrNotExist)
	require.ErrorContains(t, last, fmt.Sprintf("create the directory %q", dir))
}
