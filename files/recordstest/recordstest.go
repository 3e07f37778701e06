// Package recordstest is the suite for the places that records of package files
// are kept in: what each must do, whichever database is behind it.
//
//	func TestRecords(t *testing.T) {
//		recordstest.Run(t, func(t *testing.T) files.Records { return mine.New(…) })
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

// Open makes an empty place for one case, and has t clean it up. It is called
// from parallel cases.
type Open func(t *testing.T) files.Records

type testCase struct {
	name string
	run  func(t *testing.T, r files.Records)
}

// Run proves everything that files.Records promises. It returns when all cases,
// which run in parallel, are done.
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

// day is when all records of the suite were created, or some time later.
var day = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// record is one that was created that many milliseconds after day.
func record(ms int) *files.Record {
	created := day.Add(time.Duration(ms) * time.Millisecond)
	crc := uint32(ms)
	return &files.Record{
		ID: files.NewID(created), FileExt: ".pdf", MIMEType: "application/pdf", OriginalFileName: fmt.Sprintf("report %d.pdf", ms),
		OriginalLength: int64(ms), UploadedBy: "user-1", Purpose: "reports", Created: created, CRC32C: &crc,
	}
}

func create(t *testing.T, r files.Records, records ...*files.Record) {
	t.Helper()
	for _, record := range records {
		require.NoError(t, r.Create(t.Context(), record))
	}
}

// same compares what was stored with what came back, which is UTC.
func same(t *testing.T, want, got *files.Record) {
	t.Helper()
	require.NotNil(t, got)
	require.Equal(t, time.UTC, got.Created.Location())
	require.True(t, want.Created.Equal(got.Created), "created %v, not %v", got.Created, want.Created)
	w, g := *want, *got
	w.Created, g.Created = time.Time{}, time.Time{}
	require.Equal(t, w, g)
}

// all is what List gives, in pages.
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
			require.Greater(t, one.ID, after, "in ascending order, behind where it was to go on")
			ids, after = append(ids, one.ID), one.ID
		}
		if next == "" {
			return ids
		}
		require.GreaterOrEqual(t, next, after, "goes on behind what was given")
		after = next
	}
	require.Fail(t, "the pages have no end")
	return nil
}

func absent(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, storage.ObjectNotFound)
}
