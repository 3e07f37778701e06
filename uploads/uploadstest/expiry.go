package uploadstest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

var expiryCases = []testCase{
	{"files that expire are not listed, but their IDs are", expiringUnlisted},
	{"files have expired at their time, and the first to expire are first", expiredInOrder},
	{"a removed file has not expired", removedUnexpired},
	{"a file that stays is not removed as one that expires", staysUnremoved},
	{"the purpose of a file that expires is not set", purposeOfExpiring},
	{"a time that not every store can keep is refused, and later times of others are found", unstorableExpiry},
}

// expiring returns a record that expires ms milliseconds after day.
func expiring(ms int) *uploads.File {
	one := record(1)
	one.Expires = afterDay(ms)
	return one
}

// expired returns the IDs of at most limit records that have expired ms milliseconds after day.
func expired(t *testing.T, r uploads.Records, ms, limit int) []string {
	t.Helper()
	files, err := r.Expired(t.Context(), afterDay(ms), limit)
	require.NoError(t, err)
	ids := []string{}
	for _, one := range files {
		require.False(t, one.Expires.IsZero())
		ids = append(ids, one.ID)
	}
	return ids
}

// expiringUnlisted tests that List leaves out a record that expires, and that IDs does not.
func expiringUnlisted(t *testing.T, r uploads.Records) {
	stays := record(1)
	goes := expiring(5)
	create(t, r, stays, goes)
	require.Equal(t, []string{stays.ID}, all(t, r, uploads.Filter{}, 10))
	ids, _, err := r.IDs(t.Context(), "", 10)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{stays.ID, goes.ID}, ids)
}

// expiredInOrder tests that Expired returns the records whose time has come, the first to expire
// first, and at most as many as the limit.
func expiredInOrder(t *testing.T, r uploads.Records) {
	third := expiring(30)
	first := expiring(10)
	second := expiring(20)
	create(t, r, record(1), third, first, second)
	require.Empty(t, expired(t, r, 9, 10))
	require.Equal(t, []string{first.ID}, expired(t, r, 10, 10))
	require.Equal(t, []string{first.ID, second.ID}, expired(t, r, 29, 10))
	require.Equal(t, []string{first.ID, second.ID}, expired(t, r, 1000, 2))
	require.Equal(t, []string{first.ID, second.ID, third.ID}, expired(t, r, 1000, 10))
}

// unstorableExpiry tests that Create refuses an expiry in a year before 0 or after 9999, and that
// later records are still found.
func unstorableExpiry(t *testing.T, r uploads.Records) {
	for _, year := range []int{-1, 10_000, 300_000} {
		odd := expiring(5)
		odd.Expires = time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC)
		require.ErrorIs(t, r.Create(t.Context(), odd), storage.InvalidArgument)
		_, err := r.Record(t.Context(), odd.ID)
		absent(t, err)
	}
	goes := expiring(10)
	create(t, r, goes)
	require.Equal(t, []string{goes.ID}, expired(t, r, 10, 10))
}

// removedUnexpired tests that Expired no longer returns a record that was removed.
func removedUnexpired(t *testing.T, r uploads.Records) {
	stays := expiring(10)
	goes := expiring(10)
	create(t, r, stays, goes)
	files, err := r.Expired(t.Context(), day.Add(time.Second), 10)
	require.NoError(t, err)
	require.Len(t, files, 2)
	for _, one := range files {
		if one.ID == goes.ID {
			require.NoError(t, r.Remove(t.Context(), one))
		}
	}
	require.Equal(t, []string{stays.ID}, expired(t, r, 1000, 10))
	_, err = r.Record(t.Context(), goes.ID)
	absent(t, err)
}

// staysUnremoved tests Remove with an outdated File. A sweep may have read a File that expires,
// before a transaction made the file permanent. If the sweep then calls Remove, the record must
// stay.
func staysUnremoved(t *testing.T, r uploads.Records) {
	stays := record(1)
	create(t, r, stays)
	file := *stays
	file.Expires = day
	require.ErrorIs(t, r.Remove(t.Context(), &file), storage.PreconditionFailed)
	got, err := r.Record(t.Context(), stays.ID)
	require.NoError(t, err)
	same(t, stays, got)
	require.NoError(t, r.Remove(t.Context(), stays))
	require.NoError(t, r.Remove(t.Context(), &file), "again")
}

// purposeOfExpiring tests that SetPurpose fails for a record that expires, as for a missing one.
func purposeOfExpiring(t *testing.T, r uploads.Records) {
	one := expiring(10)
	create(t, r, one)
	_, err := r.SetPurpose(t.Context(), one.ID, "archive")
	absent(t, err)
	got, err := r.Record(t.Context(), one.ID)
	require.NoError(t, err)
	same(t, one, got)
}
