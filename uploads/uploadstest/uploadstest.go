// Package uploadstest has test suites for implementations of [uploads.Records] and
// [uploads.States]. They work with any database.
//
//	func TestRecords(t *testing.T) {
//		uploadstest.Run(t, func(t *testing.T) uploads.Records { return mine.New(…) })
//		uploadstest.RunStates(t, func(t *testing.T) uploads.States { return mine.New(…) })
//	}
package uploadstest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

// A testCase tests one property of records. It gets records that are empty.
type testCase struct {
	name string
	run  func(t *testing.T, r uploads.Records)
}

// Run tests that an implementation of [uploads.Records] works as documented. For each test case, it
// calls open, which must return empty records, and remove them when the test t ends. Test cases run
// in parallel. Run returns after the last one.
func Run(t *testing.T, open func(t *testing.T) uploads.Records) {
	t.Helper()
	t.Run("records", func(t *testing.T) {
		for _, c := range slices.Concat(singleCases, listCases, expiryCases, concurrentCases) {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t, open(t))
			})
		}
	})
}

// day is the earliest creation time of the suite's records.
var day = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// afterDay returns the time ms milliseconds after day.
func afterDay(ms int) time.Time {
	return day.Add(time.Duration(ms) * time.Millisecond)
}

// newRecord returns a record whose ID says that it was created ms milliseconds after day.
func newRecord(ms int) *uploads.File {
	id := uploads.NewID(afterDay(ms))
	return &uploads.File{
		ID:          id,
		Key:         "files/" + id + ".pdf",
		ContentType: "application/pdf",
		Name:        fmt.Sprintf("report %d.pdf", ms),
		Size:        int64(ms),
		User:        uploads.User{ID: "user-1"},
		Purpose:     "reports",
		CRC32C:      storage.CRC32C{Sum: uint32(ms), Known: true},
	}
}

// create creates the records in r, and requires that this succeeds.
func create(t *testing.T, r uploads.Records, records ...*uploads.File) {
	t.Helper()
	for _, record := range records {
		require.NoError(t, r.Create(t.Context(), record))
	}
}

// requireRecord requires that two records are equal. Their times must be in UTC.
func requireRecord(t *testing.T, want, got *uploads.File) {
	t.Helper()
	require.NotNil(t, got)
	require.Equal(t, *want, *got)
}

// listIDs reads all pages of List, and returns the IDs of the records. It requires that the pages
// keep to the filter, the limit and the order of IDs.
func listIDs(t *testing.T, r uploads.Records, f uploads.Filter, limit int) []string {
	t.Helper()
	var ids []string
	startAfter := ""
	const maxPages = 10_000
	for range maxPages {
		page, next, err := r.List(t.Context(), f, startAfter, limit)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page), limit)
		for _, file := range page {
			require.True(t, f.Matches(file), "%+v does not match the filter", file)
			require.Greater(t, file.ID, startAfter)
			ids = append(ids, file.ID)
			startAfter = file.ID
		}
		if next == "" {
			return ids
		}

		// The next page may begin after records that do not match.
		require.GreaterOrEqual(t, next, startAfter)
		startAfter = next
	}
	require.Fail(t, "the pages have no end")
	return nil
}

// requireNotFound requires that err is ObjectNotFound, the error for a missing record or state.
func requireNotFound(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, storage.ObjectNotFound)
}
