package commit_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/commit"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/foldermarker"
	"github.com/omnibucket/storage/memstore"
)

const markKey = "log/trimmed"

// newTrimmedTwice returns a bucket whose log had ten entries and has the last of them, with its mark.
func newTrimmedTwice(t *testing.T, numbers ...int64) storage.Bucket {
	log, bucket := newMemoryLog(t)
	appendText(t, log, "A", "B", "C", "D", "E", "F", "G", "H", "I", "J")
	for _, number := range numbers {
		require.NoError(t, log.Trim(t.Context(), number))
	}
	return bucket
}

// copyKeys replaces objects of dst with those of src.
func copyKeys(t *testing.T, dst, src storage.Bucket, keys ...string) {
	t.Helper()
	for _, key := range keys {
		require.NoError(t, dst.Remove(t.Context(), key))
		_, err := storage.Copy(t.Context(), dst, key, src, key)
		require.NoError(t, err)
	}
}

// If the mark beside the entries comes from another log, Trim fails with Changed and removes nothing.
func TestTrimRemovesNothingByTheMarkOfAnotherLog(t *testing.T) {
	tests := []struct {
		name string
		mark []int64 // the calls of Trim in the other log
		trim int64
	}{
		{name: "it names an entry after the last one", mark: []int64{6, 8}, trim: 5},
		{name: "it names an entry that is another one here", mark: []int64{2, 3}, trim: 5},
		{name: "to remove the rest", mark: []int64{2, 3}, trim: 1},
		{name: "one call before the first removal", mark: []int64{3}, trim: 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			writer, bucket := newMemoryLog(t)
			appendText(t, writer, "a", "b", "c", "d", "e")
			copyKeys(t, bucket, newTrimmedTwice(t, tt.mark...), markKey)
			keys := foldermarker.Keys(t, bucket)

			for _, log := range []*commit.Log{writer, newLog(t, bucket)} {
				err := log.Trim(t.Context(), tt.trim)
				require.ErrorIs(t, err, storage.Changed)
				require.ErrorContains(t, err, markKey)
				require.Equal(t, keys, foldermarker.Keys(t, bucket))
			}
			data, _, err := storage.ReadAll(t.Context(), bucket, markKey)
			require.NoError(t, err)
			mark, _, err := storage.ReadAll(t.Context(), newTrimmedTwice(t, tt.mark...), markKey)
			require.NoError(t, err)
			require.Equal(t, strings.Fields(string(mark))[:2], strings.Fields(string(data))[:2],
				"the mark stays")
		})
	}
}

// newLog returns the log in b.
func newLog(t *testing.T, bucket storage.Bucket) *commit.Log {
	t.Helper()
	log, err := commit.New(bucket, "log/")
	require.NoError(t, err)
	return log
}

// If a log is copied with all its objects, Trim works on the copy as on the original.
func TestTrimACopiedLog(t *testing.T) {
	src := newTrimmedTwice(t, 6, 8)
	dst := memstore.New()
	copyKeys(t, dst, src, foldermarker.Keys(t, src)...)
	require.NoError(t, newLog(t, dst).Trim(t.Context(), 10))
	require.Equal(t, []string{entryKey(9), entryKey(10), markKey}, foldermarker.Keys(t, dst))
}

// If a listing shows entries that are gone and lacks others, Trim removes only entries that the mark names. The
// next call removes those that the listing lacked.
func TestTrimRemovesOnlyWhatItsMarkSays(t *testing.T) {
	d := memstore.NewDriver(memstore.Config{})
	bucket := engine.New(d)
	log := newLog(t, bucket)
	appendText(t, log, "a", "b", "c", "d", "e", "f")
	require.NoError(t, log.Trim(t.Context(), 4))
	_, err := bucket.Upload(t.Context(), entryKey(2)+".txt", strings.NewReader("of somebody else"))
	require.NoError(t, err)
	others := []string{entryKey(2) + ".txt", entryKey(5), entryKey(6), markKey}

	late := engine.New(fixedListing{d, []string{entryKey(0), entryKey(1), entryKey(4), entryKey(5), entryKey(6), "log/x"}})
	require.NoError(t, newLog(t, late).Trim(t.Context(), 5))
	require.Equal(t, append([]string{entryKey(2)}, others[:1]...), foldermarker.Keys(t, bucket)[:2])
	require.Equal(t, append([]string{entryKey(3)}, others[1:]...), foldermarker.Keys(t, bucket)[2:])
	require.NoError(t, newLog(t, bucket).Trim(t.Context(), 5))
	require.Equal(t, others, foldermarker.Keys(t, bucket),
		"what the listing lacked is removed by the next call")
}

// A fixedListing is a driver whose listings show the given keys, in place of those that it has.
type fixedListing struct {
	driver.Driver
	keys []string
}

func (l fixedListing) List(context.Context, *driver.ListRequest) (*storage.Page, error) {
	page := &storage.Page{}
	for _, key := range l.keys {
		page.Entries = append(page.Entries, storage.ListEntry{Key: key})
	}
	return page, nil
}
