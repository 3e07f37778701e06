// Package recordstest is the suite for implementations of [files.Records], whichever
// database they use.
//
//	func TestRecords(t *testing.T) {
//		recordstest.Run(t, func(t *testing.T) files.Records { return mine.New(…) })
//		recordstest.RunStates(t, func(t *testing.T) uploads.States { return mine.New(…) })
//	}
package recordstest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/files"
)

// Open returns an empty [files.Records] for one case, and cleans it up at the end of
// t. It is called from parallel cases.
type Open func(t *testing.T) files.Records

type testCase struct {
	name string
	run  func(t *testing.T, r files.Records)
}

// Run tests everything that [files.Records] promises. It returns when all cases are
// done, which run in parallel.
func Run(t *testing.T, open Open) {
	t.Helper()
	t.Run("records", func(t *testing.T) {
		for _, c := range slices.Concat(singleCases, listCases, concurrentCases) {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t, open(t))
			})
		}
	})
}

// day is the earliest creation time of the suite's records.
var day = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// record returns a record that was created ms milliseconds after day.
func record(ms int) *files.Record {
	created := day.Add(time.Duration(ms) * time.Millisecond)
	crc := uint32(ms)
	return &files.Record{
		ID: files.NewID(created), FileExt: ".pdf", MIMEType: "application/pdf", OriginalFileName: fmt.Sprintf("report %d.pdf", ms),
		OriginalLength: int64(ms), UploadedBy: "user-1", Purpose: "reports", Created: created, CRC32C: storage.KnownCRC32C(crc),
	}
}

func create(t *testing.T, r files.Records, records ...*files.Record) {
	t.Helper()
	for _, record := range records {
		require.NoError(t, r.Create(t.Context(), record))
	}
}

// same compares a stored record with the one that came back, whose time is UTC.
func same(t *testing.T, want, got *files.Record) {
	t.Helper()
	require.NotNil(t, got)
	require.Equal(t, time.UTC, got.Created.Location())
	require.True(t, want.Created.Equal(got.Created), "created %v, not %v", got.Created, want.Created)
	w, g := *want, *got
	w.Created, g.Created = time.Time{}, time.Time{}
	require.Equal(t, w, g)
}

// all returns the IDs of List, read in pages.
func all(t *testing.T, r files.Records, f files.ListFilter, limit int) []string {
	t.Helper()
	var ids []string
	after := ""
	for range 10_000 {
		page, next, err := r.List(t.Context(), f, after, limit)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page), limit)
		for _, one := range page {
			require.True(t, f.Matches(one), "%+v is not meant", one)
			require.Greater(t, one.ID, after, "in ascending order, after the given ID")
			ids, after = append(ids, one.ID), one.ID
		}
		if next == "" {
			return ids
		}
		require.GreaterOrEqual(t, next, after, "continues after the returned IDs")
		after = next
	}
	require.Fail(t, "the pages have no end")
	return nil
}

func absent(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, storage.ObjectNotFound)
}
