package uploadstest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/uploads"
)

var listCases = []testCase{
	{"an empty place lists nothing", testListEmpty},
	{"records come in the order of their IDs, whatever the page", testListOrder},
	{"a list starts after an ID, whether or not it exists", testListStartAfter},
	{"a page has at most the limit", testListLimit},
	{"a filter returns the records that match all of it", testListFilter},
	{"few among many are found", testListSparse},
	{"IDs are those of all records, in order, in pages", testIDs},
}

// createRecords creates n records, each of which change may edit before. It creates them in the reverse
// order of their IDs, and returns them sorted by ID.
func createRecords(t *testing.T, r uploads.Records, n int, change func(i int, r *uploads.File)) []*uploads.File {
	t.Helper()
	records := make([]*uploads.File, n)
	for i := range records {
		records[i] = newRecord(i)
		change(i, records[i])
	}
	for _, file := range slices.Backward(records) {
		create(t, r, file)
	}
	return records
}

// unchanged makes stock leave the records as they are.
func unchanged(int, *uploads.File) {}

// idsOf returns the IDs of the records that match a filter.
func idsOf(records []*uploads.File, f uploads.Filter) []string {
	var ids []string
	for _, file := range records {
		if f.Matches(file) {
			ids = append(ids, file.ID)
		}
	}
	return ids
}

// testListEmpty tests that List and IDs return nothing, without an error, if there is no record.
func testListEmpty(t *testing.T, r uploads.Records) {
	records, next, err := r.List(t.Context(), uploads.Filter{}, "", 10)
	require.NoError(t, err)
	require.Empty(t, records)
	require.Empty(t, next)

	ids, next, err := r.IDs(t.Context(), "", 10)
	require.NoError(t, err)
	require.Empty(t, ids)
	require.Empty(t, next)
}

// testListOrder tests that List returns all records in the order of their IDs, with any page size.
func testListOrder(t *testing.T, r uploads.Records) {
	records := createRecords(t, r, 7, unchanged)
	for limit := 1; limit <= 8; limit++ {
		require.Equal(t, idsOf(records, uploads.Filter{}), listIDs(t, r, uploads.Filter{}, limit), "pages of %d", limit)
	}
	page, _, err := r.List(t.Context(), uploads.Filter{}, "", 1000)
	require.NoError(t, err)
	for i, got := range page {
		requireRecord(t, records[i], got)
	}
}

// testListStartAfter tests that List begins after the given ID, even if its record was removed.
func testListStartAfter(t *testing.T, r uploads.Records) {
	records := createRecords(t, r, 5, unchanged)
	listAfter := func(id string) []string {
		page, next, err := r.List(t.Context(), uploads.Filter{}, id, 1000)
		require.NoError(t, err)
		require.Empty(t, next)
		return idsOf(page, uploads.Filter{})
	}

	ids := idsOf(records, uploads.Filter{})
	require.Equal(t, ids[3:], listAfter(ids[2]))
	require.Empty(t, listAfter(ids[4]))

	require.NoError(t, r.Remove(t.Context(), &uploads.File{ID: ids[2]}))
	require.Equal(t, ids[3:], listAfter(ids[2]))
	require.Empty(t, listAfter(ids[4]))
}

// testListLimit tests that a page of List or IDs has no more entries than the limit, and says where
// the next page starts.
func testListLimit(t *testing.T, r uploads.Records) {
	const limit = 3
	createRecords(t, r, 5, unchanged)

	page, next, err := r.List(t.Context(), uploads.Filter{}, "", limit)
	require.NoError(t, err)
	require.LessOrEqual(t, len(page), limit)
	require.NotEmpty(t, next)

	ids, next, err := r.IDs(t.Context(), "", limit)
	require.NoError(t, err)
	require.LessOrEqual(t, len(ids), limit)
	require.NotEmpty(t, next)
}

// lastYear is the latest time of .NET and Java. Clients send it to mean "no limit".
var lastYear = time.Date(9999, 12, 31, 23, 59, 59, 999999900, time.UTC)

// testListFilter tests that List returns exactly the records that match the filter, in pages of any
// size.
func testListFilter(t *testing.T, r uploads.Records) {
	// Purposes and users are repeated with different periods, so that all combinations occur.
	purposes := []string{"", "reports", "Reports", "100%", "100x"}
	users := []string{"user-1", "user-2", ""}
	records := createRecords(t, r, 24, func(i int, r *uploads.File) {
		r.Purpose = purposes[i%len(purposes)]
		r.User.ID = users[i%len(users)]
		if i%4 == 3 {
			r.Expires = day.Add(time.Hour)
		}
	})

	firstYear := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	filters := []uploads.Filter{
		{},
		{Purpose: "reports"},
		{Purpose: "Reports"},
		{Purpose: "100%"},
		{Purpose: "none"},
		{User: "user-1"},
		{User: "user"},

		// Times with and without fractions, and the first and last times of other systems.
		{From: afterDay(5)},
		{To: afterDay(5)},
		{From: afterDay(5), To: afterDay(6)},
		{From: afterDay(5), To: afterDay(20)},
		{From: afterDay(5).Add(time.Nanosecond)},
		{To: afterDay(5).Add(time.Nanosecond)},
		{From: afterDay(-1000)},
		{To: afterDay(-1000)},
		{From: afterDay(1000)},
		{To: afterDay(1000)},
		{From: afterDay(5).In(time.FixedZone("elsewhere", -5*3600))},
		{From: lastYear},
		{To: lastYear},
		{From: lastYear.AddDate(1, 0, 0)},
		{To: lastYear.AddDate(1, 0, 0)},
		{From: firstYear.Add(-time.Hour)},
		{To: firstYear.Add(-time.Hour)},

		{Purpose: "reports", User: "user-2", From: afterDay(1), To: afterDay(23)},
		{Expiring: true},
		{User: "user-1", Expiring: true},
		{Purpose: "reports", From: afterDay(5), Expiring: true},
	}

	// Each filter selects the same records in pages of any size.
	for _, filter := range filters {
		for _, limit := range []int{1, 4, 1000} {
			require.Equal(t, idsOf(records, filter), listIDs(t, r, filter, limit), "%+v, pages of %d", filter, limit)
		}
	}
}

// testListSparse tests that List finds the few records that match a filter, in pages that are
// smaller and larger than the result.
func testListSparse(t *testing.T, r uploads.Records) {
	records := createRecords(t, r, 120, func(i int, r *uploads.File) {
		if i%40 == 39 { // 3 of 120
			r.Purpose = "rare"
		}
	})
	filter := uploads.Filter{Purpose: "rare"}
	want := idsOf(records, filter)
	require.Len(t, want, 3)

	for _, limit := range []int{1, 2, 3, 100} {
		require.Equal(t, want, listIDs(t, r, filter, limit), "pages of %d", limit)
	}
}

// testIDs tests that the pages of IDs together have the ID of every record once, in ascending order.
func testIDs(t *testing.T, r uploads.Records) {
	want := idsOf(createRecords(t, r, 7, unchanged), uploads.Filter{})
	for limit := 1; limit <= 8; limit++ {
		var got []string
		startAfter := ""
		for {
			ids, next, err := r.IDs(t.Context(), startAfter, limit)
			require.NoError(t, err)
			got = append(got, ids...)
			if next == "" {
				break
			}
			require.Greater(t, next, startAfter)
			startAfter = next
		}
		require.Equal(t, want, got, "pages of %d", limit)
	}
}
