package uploadstest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/uploads"
)

var listCases = []testCase{
	{"an empty place lists nothing", emptyList},
	{"records come in the order of their IDs, whatever the page", orderedList},
	{"a list starts after an ID, whether or not it exists", listAfter},
	{"a page has at most the limit", boundedPage},
	{"a filter returns the records that match all of it", filteredList},
	{"few among many are found", fewAmongMany},
	{"IDs are those of all records, in order, in pages", listedIDs},
}

// stock creates n records, in the reverse order of their IDs. It returns them sorted by ID.
func stock(t *testing.T, r uploads.Records, n int, change func(i int, r *uploads.File)) []*uploads.File {
	t.Helper()
	records := make([]*uploads.File, n)
	for i := range records {
		records[i] = record(i)
		change(i, records[i])
	}
	for _, one := range slices.Backward(records) {
		create(t, r, one)
	}
	return records
}

// unchanged makes stock leave the records as they are.
func unchanged(int, *uploads.File) {}

// idsOf returns the IDs of the records that match a filter.
func idsOf(records []*uploads.File, f uploads.Filter) []string {
	var ids []string
	for _, one := range records {
		if f.Matches(one) {
			ids = append(ids, one.ID)
		}
	}
	return ids
}

// emptyList tests that List and IDs return nothing, without an error, if there is no record.
func emptyList(t *testing.T, r uploads.Records) {
	records, next, err := r.List(t.Context(), uploads.Filter{}, "", 10)
	require.NoError(t, err)
	require.Empty(t, records)
	require.Empty(t, next)
	ids, next, err := r.IDs(t.Context(), "", 10)
	require.NoError(t, err)
	require.Empty(t, ids)
	require.Empty(t, next)
}

// orderedList tests that List returns all records in the order of their IDs, with any page size.
func orderedList(t *testing.T, r uploads.Records) {
	records := stock(t, r, 7, unchanged)
	for limit := 1; limit <= 8; limit++ {
		require.Equal(t, idsOf(records, uploads.Filter{}), all(t, r, uploads.Filter{}, limit), "pages of %d", limit)
	}
	page, _, err := r.List(t.Context(), uploads.Filter{}, "", 1000)
	require.NoError(t, err)
	for i, got := range page {
		same(t, records[i], got)
	}
}

// listAfter tests that List begins after the given ID, even if its record was removed since.
func listAfter(t *testing.T, r uploads.Records) {
	records := stock(t, r, 5, unchanged)
	list := func(id string) []string {
		page, next, err := r.List(t.Context(), uploads.Filter{}, id, 1000)
		require.NoError(t, err)
		require.Empty(t, next)
		return idsOf(page, uploads.Filter{})
	}
	want := idsOf(records, uploads.Filter{})
	require.Equal(t, want[3:], list(want[2]))
	require.NoError(t, r.Remove(t.Context(), &uploads.File{ID: want[2]}))
	require.Equal(t, want[3:], list(want[2]), "a page continues after a record that was removed meanwhile")
	require.Empty(t, list(want[4]))
}

// boundedPage tests that a page has at most as many entries as the limit, and names the next page.
func boundedPage(t *testing.T, r uploads.Records) {
	stock(t, r, 5, unchanged)
	page, next, err := r.List(t.Context(), uploads.Filter{}, "", 3)
	require.NoError(t, err)
	require.LessOrEqual(t, len(page), 3)
	require.NotEmpty(t, next)
	ids, next, err := r.IDs(t.Context(), "", 3)
	require.NoError(t, err)
	require.LessOrEqual(t, len(ids), 3)
	require.NotEmpty(t, next)
}

// lastYear is the latest time of .NET and Java. Clients send it to mean "no limit".
var lastYear = time.Date(9999, 12, 31, 23, 59, 59, 999999900, time.UTC)

// filteredList tests that List returns the records that match each filter, with any page size. The
// filters have times with and without fractions, and the first and last times of other systems.
func filteredList(t *testing.T, r uploads.Records) {
	purposes := []string{"", "reports", "Reports", "100%", "100x"}
	users := []string{"user-1", "user-2", ""}
	records := stock(t, r, 24, func(i int, r *uploads.File) {
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
	for _, filter := range filters {
		for _, limit := range []int{1, 4, 1000} {
			require.Equal(t, idsOf(records, filter), all(t, r, filter, limit), "%+v, pages of %d", filter, limit)
		}
	}
}

// fewAmongMany tests that List finds 3 records among 120, with pages that are smaller and larger
// than the result.
func fewAmongMany(t *testing.T, r uploads.Records) {
	records := stock(t, r, 120, func(i int, r *uploads.File) {
		if i%40 == 39 {
			r.Purpose = "rare"
		}
	})
	filter := uploads.Filter{Purpose: "rare"}
	require.Len(t, idsOf(records, filter), 3)

	for _, limit := range []int{1, 2, 3, 100} {
		require.Equal(t, idsOf(records, filter), all(t, r, filter, limit), "pages of %d", limit)
	}
}

// listedIDs tests that the pages of IDs together have the ID of each record once, in order.
func listedIDs(t *testing.T, r uploads.Records) {
	want := idsOf(stock(t, r, 7, unchanged), uploads.Filter{})
	for limit := 1; limit <= 8; limit++ {
		var got []string
		for startAfter := ""; ; {
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
