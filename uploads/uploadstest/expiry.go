package uploadstest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

var expiryCases = []testCase{
	{"files that expire are not listed, but their IDs are", testListOmitsExpiring},
	{"files have expired at their time, and the first to expire are first", testExpired},
	{"a removed file has not expired", testExpiredAfterRemove},
	{"a file that stays is not removed as one that expires", testRemoveOutdated},
	{"the purpose of a file that expires is not set", testSetPurposeExpiring},
	{"a time that not every store can keep is refused, and later times of others are found", testInvalidExpiry},
}

// newExpiring returns a record that expires ms milliseconds after day.
func newExpiring(ms int) *uploads.File {
	file := newRecord(1)
	file.Expires = afterDay(ms)
	return file
}

// expiredIDs returns the IDs of at most limit records that have expired by the time ms milliseconds after day.
func expiredIDs(t *testing.T, r uploads.Records, ms, limit int) []string {
	t.Helper()
	files, err := r.Expired(t.Context(), afterDay(ms), limit)
	require.NoError(t, err)
	ids := []string{}
	for _, file := range files {
		require.False(t, file.Expires.IsZero())
		ids = append(ids, file.ID)
	}
	return ids
}

// testListOmitsExpiring tests that List omits a record that expires, and that IDs does not.
func testListOmitsExpiring(t *testing.T, r uploads.Records) {
	permanent := newRecord(1)
	expiring := newExpiring(5)
	create(t, r, permanent, expiring)

	require.Equal(t, []string{permanent.ID}, listIDs(t, r, uploads.Filter{}, 10))

	ids, _, err := r.IDs(t.Context(), "", 10)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{permanent.ID, expiring.ID}, ids)
}

// testExpired tests that Expired returns the records that have expired, the earliest first, and no
// more of them than the limit.
func testExpired(t *testing.T, r uploads.Records) {
	third := newExpiring(30)
	first := newExpiring(10)
	second := newExpiring(20)
	create(t, r, newRecord(1), third, first, second)

	// The records expire 10, 20 and 30 ms after day.
	require.Empty(t, expiredIDs(t, r, 9, 10))
	require.Equal(t, []string{first.ID}, expiredIDs(t, r, 10, 10))
	require.Equal(t, []string{first.ID, second.ID}, expiredIDs(t, r, 29, 10))
	require.Equal(t, []string{first.ID, second.ID}, expiredIDs(t, r, 1000, 2))
	require.Equal(t, []string{first.ID, second.ID, third.ID}, expiredIDs(t, r, 1000, 10))
}

// testInvalidExpiry tests that Create refuses an expiry before the year 0 or after 9999, and that
// records with a valid one are found afterwards.
func testInvalidExpiry(t *testing.T, r uploads.Records) {
	for _, year := range []int{-1, 10_000, 300_000} {
		invalid := newExpiring(5)
		invalid.Expires = time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC)
		require.ErrorIs(t, r.Create(t.Context(), invalid), storage.InvalidArgument)
		_, err := r.Record(t.Context(), invalid.ID)
		requireNotFound(t, err)
	}

	valid := newExpiring(10)
	create(t, r, valid)
	require.Equal(t, []string{valid.ID}, expiredIDs(t, r, 10, 10))
}

// testExpiredAfterRemove tests that Expired no longer returns a record that was removed.
func testExpiredAfterRemove(t *testing.T, r uploads.Records) {
	kept := newExpiring(10)
	removed := newExpiring(10)
	create(t, r, kept, removed)

	files, err := r.Expired(t.Context(), day.Add(time.Second), 10)
	require.NoError(t, err)
	require.Len(t, files, 2)
	for _, file := range files {
		if file.ID == removed.ID {
			require.NoError(t, r.Remove(t.Context(), file))
		}
	}

	require.Equal(t, []string{kept.ID}, expiredIDs(t, r, 1000, 10))
	_, err = r.Record(t.Context(), removed.ID)
	requireNotFound(t, err)
}

// testRemoveOutdated tests that Remove keeps the record of a permanent file if it gets an outdated
// File that still expires. A sweep may have read it before the file became permanent.
func testRemoveOutdated(t *testing.T, r uploads.Records) {
	permanent := newRecord(1)
	create(t, r, permanent)
	outdated := *permanent
	outdated.Expires = day

	require.ErrorIs(t, r.Remove(t.Context(), &outdated), storage.PreconditionFailed)
	got, err := r.Record(t.Context(), permanent.ID)
	require.NoError(t, err)
	requireRecord(t, permanent, got)

	require.NoError(t, r.Remove(t.Context(), permanent))
	require.NoError(t, r.Remove(t.Context(), &outdated), "the record is missing now")
}

// testSetPurposeExpiring tests that SetPurpose fails for a record that expires, as for a missing one.
func testSetPurposeExpiring(t *testing.T, r uploads.Records) {
	want := newExpiring(10)
	create(t, r, want)
	_, err := r.SetPurpose(t.Context(), want.ID, "archive")
	requireNotFound(t, err)

	got, err := r.Record(t.Context(), want.ID)
	require.NoError(t, err)
	requireRecord(t, want, got)
}
