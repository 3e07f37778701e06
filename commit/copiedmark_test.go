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

// markKey is the key of the object that records how far the log is trimmed.
const markKey = "log/trimmed"

// newTrimmedLog returns a bucket whose log had ten entries. It calls Trim with each of the numbers: a call marks the
// entries up to its number, and removes those that the call before has marked.
func newTrimmedLog(t *testing.T, numbers ...int64) storage.Bucket {
	t.Helper()
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
		// Remove succeeds even if there is no object.
		require.NoError(t, dst.Remove(t.Context(), key))
		_, err := storage.Copy(t.Context(), dst, key, src, key)
		require.NoError(t, err)
	}
}

// Trim keeps a mark in the bucket, which says up to which number entries may be removed. If the mark was copied from
// another log, Trim fails with Changed and removes nothing.
func TestTrimRemovesNothingByTheMarkOfAnotherLog(t *testing.T) {
	tests := []struct {
		name         string
		trimsOfOther []int64 // calls of Trim in the other log; each one removes what the call before has marked
		trim         int64   // number up to which Trim is called in this log, which has the entries 1 to 5
	}{
		{name: "mark after the last entry", trimsOfOther: []int64{6, 8}, trim: 5},
		{name: "mark on an entry of this log", trimsOfOther: []int64{2, 3}, trim: 5},
		{name: "number before the mark", trimsOfOther: []int64{2, 3}, trim: 1},
		{name: "other log has removed nothing yet", trimsOfOther: []int64{3}, trim: 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// A log with five entries gets the mark of another log, which had ten.
			writer, bucket := newMemoryLog(t)
			appendText(t, writer, "a", "b", "c", "d", "e")
			copyKeys(t, bucket, newTrimmedLog(t, tt.trimsOfOther...), markKey)
			mark := readMark(t, bucket)
			keys := foldermarker.Keys(t, bucket)

			// The Log that has written the entries refuses the mark, and so does a new Log.
			for _, log := range []*commit.Log{writer, newLog(t, bucket)} {
				err := log.Trim(t.Context(), tt.trim)
				require.ErrorIs(t, err, storage.Changed)
				require.ErrorContains(t, err, markKey)
				require.Equal(t, keys, foldermarker.Keys(t, bucket))
			}
			require.Equal(t, mark, readMark(t, bucket))
		})
	}
}

// readMark returns the content of the mark, which records how far a log is trimmed.
func readMark(t *testing.T, bucket storage.Bucket) string {
	t.Helper()
	text, _, err := storage.ReadAll(t.Context(), bucket, markKey)
	require.NoError(t, err)
	return string(text)
}

// newLog returns a new Log for the log "log/" of a bucket.
func newLog(t *testing.T, bucket storage.Bucket) *commit.Log {
	t.Helper()
	log, err := commit.New(bucket, "log/")
	require.NoError(t, err)
	return log
}

// Trim works on the copy of a log with all its objects as on the original.
func TestTrimACopiedLog(t *testing.T) {
	// The log has ten entries. Entries 1 to 6 are removed, and 7 and 8 are marked.
	src := newTrimmedLog(t, 6, 8)
	dst := memstore.New()
	copyKeys(t, dst, src, foldermarker.Keys(t, src)...)

	// The call on the copy removes the marked entries.
	require.NoError(t, newLog(t, dst).Trim(t.Context(), 10))
	require.Equal(t, []string{entryKey(9), entryKey(10), markKey}, foldermarker.Keys(t, dst))
}

// Trim removes only entries that the mark names, even if a listing shows entries that are gone and
// lacks others. The next call removes those that the listing lacked.
func TestTrimRemovesOnlyWhatItsMarkSays(t *testing.T) {
	d := memstore.NewDriver(memstore.Config{})
	bucket := engine.New(d)
	log := newLog(t, bucket)

	// An object of another program beside the entries must stay.
	foreignKey := entryKey(2) + ".txt"
	_, err := bucket.Upload(t.Context(), foreignKey, strings.NewReader("of somebody else"))
	require.NoError(t, err)

	// The first call of Trim marks the entries 1 to 4 of six.
	appendText(t, log, "a", "b", "c", "d", "e", "f")
	require.NoError(t, log.Trim(t.Context(), 4))

	// This listing lacks the entries 2 and 3, and shows two objects that do not exist. So the second call of Trim
	// removes only the entries 1 and 4.
	keys := []string{entryKey(0), entryKey(1), entryKey(4), entryKey(5), entryKey(6), "log/x"}
	stale := engine.New(fixedListing{Driver: d, keys: keys})
	require.NoError(t, newLog(t, stale).Trim(t.Context(), 5))
	require.Equal(t,
		[]string{entryKey(2), foreignKey, entryKey(3), entryKey(5), entryKey(6), markKey},
		foldermarker.Keys(t, bucket))

	// A call with a complete listing removes the entries before 5.
	require.NoError(t, newLog(t, bucket).Trim(t.Context(), 5))
	require.Equal(t, []string{foreignKey, entryKey(5), entryKey(6), markKey}, foldermarker.Keys(t, bucket))
}

// A fixedListing is a driver whose listings show the given keys, in place of those that it has.
type fixedListing struct {
	driver.Driver
	keys []string
}

// List returns the fixed keys on one page.
func (l fixedListing) List(context.Context, *driver.ListRequest) (*storage.Page, error) {
	page := &storage.Page{}
	for _, key := range l.keys {
		page.Entries = append(page.Entries, storage.ListEntry{Key: key})
	}
	return page, nil
}
