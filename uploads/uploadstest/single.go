package uploadstest

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

var singleCases = []testCase{
	{"a created record is returned", givenBack},
	{"an existing ID is refused, and its record stays", takenID},
	{"a missing record is not found", notThere},
	{"a returned record belongs to the caller", callersOwn},
	{"only the purpose is changed", purposeAlone},
	{"a purpose is removed", purposeAway},
	{"a purpose of a missing record creates nothing", purposeOfNothing},
	{"a removed record is gone, and can be removed again", removed},
	{"an ID can be used again after its record was removed", freeAgain},
	{"text that a database or JSON cannot keep is refused", unstorable},
}

// givenBack tests that Record returns every field of a record as it was created, also fields that
// are empty or have their greatest value.
func givenBack(t *testing.T, r uploads.Records) {
	allFields := record(1)

	nothingOptional := record(1)
	nothingOptional.Key = "files/" + nothingOptional.ID
	nothingOptional.Purpose = ""
	nothingOptional.User.ID = ""
	nothingOptional.CRC32C = storage.CRC32C{}

	emptyFile := record(1)
	emptyFile.Size = 0
	emptyFile.CRC32C.Sum = 0

	greatestNumbers := record(1)
	greatestNumbers.Size = math.MaxInt64
	greatestNumbers.CRC32C.Sum = math.MaxUint32

	lastMillisecond := record(1)
	lastMillisecond.ID = uploads.NewID(day.Add(999 * time.Millisecond))

	withExpiry := record(1)
	withExpiry.Expires = day.Add(time.Millisecond)

	everyText := record(1)
	everyText.Name = "Ünïcode \u05d0\u05d1 日本 🦄 \u200d <b>'\";-- %_$1 ?.pdf"
	everyText.Purpose = "100%_ of 'it'"
	everyText.User.ID = `a\b "c" $1 ?`

	longestText := record(1)
	longestText.Name = strings.Repeat("🦄", 1000)
	longestText.Purpose = strings.Repeat("é", 256)
	longestText.User.ID = strings.Repeat("日", 256)
	longestText.ContentType = "text/" + strings.Repeat("x", 250)

	tests := []struct {
		name   string
		record *uploads.File
	}{
		{"all fields", allFields},
		{"nothing optional", nothingOptional},
		{"an empty file", emptyFile},
		{"the greatest numbers", greatestNumbers},
		{"the last millisecond", lastMillisecond},
		{"an expiry", withExpiry},
		{"every kind of text", everyText},
		{"the longest text", longestText},
	}
	for _, tt := range tests {
		create(t, r, tt.record)
		got, err := r.Record(t.Context(), tt.record.ID)
		require.NoError(t, err, tt.name)
		same(t, tt.record, got)
	}
}

// unstorable tests that text with a NUL byte or with invalid UTF-8 is refused in every field and in
// every argument, and that nothing is stored then.
func unstorable(t *testing.T, r uploads.Records) {
	file := record(1)
	create(t, r, file)
	for _, text := range []string{"a\x00b", "a\xffb"} {
		requireNotCreated(t, r, text)

		_, err := r.SetPurpose(t.Context(), file.ID, text)
		require.ErrorIs(t, err, storage.InvalidArgument)
		require.NotErrorIs(t, err, storage.OutcomeUnknown)
		for _, filter := range []uploads.Filter{{Purpose: text}, {User: text}} {
			_, _, err = r.List(t.Context(), filter, "", 1)
			require.ErrorIs(t, err, storage.InvalidArgument)
		}
	}

	// The record that existed before is unchanged, and no record that expires was created.
	got, err := r.Record(t.Context(), file.ID)
	require.NoError(t, err)
	same(t, file, got)
	expired, err := r.Expired(t.Context(), day.Add(time.Hour), 10)
	require.NoError(t, err)
	require.Empty(t, expired)
}

// requireNotCreated requires that no record can be created that has the text in one of its fields.
func requireNotCreated(t *testing.T, r uploads.Records, text string) {
	t.Helper()
	badName := record(2)
	badName.Name = text
	badType := record(2)
	badType.ContentType = text
	badUser := record(2)
	badUser.User.ID = text
	badPurpose := record(2)
	badPurpose.Purpose = text
	badPurpose.Expires = day

	tests := []struct {
		field  string
		record *uploads.File
	}{
		{"Name", badName},
		{"ContentType", badType},
		{"User", badUser},
		{"Purpose", badPurpose},
	}
	for _, tt := range tests {
		err := r.Create(t.Context(), tt.record)
		require.ErrorIs(t, err, storage.InvalidArgument, tt.field)
		require.NotErrorIs(t, err, storage.OutcomeUnknown, tt.field)
		_, err = r.Record(t.Context(), tt.record.ID)
		absent(t, err)
	}
}

// takenID tests that Create refuses the ID of an existing record, even if both records are equal,
// and that the existing record stays as it is.
func takenID(t *testing.T, r uploads.Records) {
	first := record(1)
	create(t, r, first)
	second := record(2)
	second.ID = first.ID
	require.ErrorIs(t, r.Create(t.Context(), second), storage.PreconditionFailed)
	require.ErrorIs(t, r.Create(t.Context(), first), storage.PreconditionFailed, "even if it is equal")
	got, err := r.Record(t.Context(), first.ID)
	require.NoError(t, err)
	same(t, first, got)
}

// notThere tests that Record fails with ObjectNotFound for an ID without a record, also for an ID
// that no store can keep.
func notThere(t *testing.T, r uploads.Records) {
	create(t, r, record(1))
	for _, id := range []string{uploads.NewID(day), "a\x00b"} {
		got, err := r.Record(t.Context(), id)
		absent(t, err)
		require.Nil(t, got, "%q", id)
	}
}

// callersOwn tests that the records do not share memory with the caller. The caller changes a
// record that it has passed to Create, and one that Record has returned.
func callersOwn(t *testing.T, r uploads.Records) {
	mine := record(1)
	want := record(1)
	want.ID = mine.ID
	want.Key = mine.Key
	create(t, r, mine)

	mine.Purpose = "another"
	mine.CRC32C.Sum = 77
	first, err := r.Record(t.Context(), want.ID)
	require.NoError(t, err)
	same(t, want, first)

	first.Purpose = "another"
	first.CRC32C.Sum = 77
	second, err := r.Record(t.Context(), want.ID)
	require.NoError(t, err)
	same(t, want, second)
}

// purposeAlone tests that SetPurpose changes only the purpose, and only that of one record.
func purposeAlone(t *testing.T, r uploads.Records) {
	want := record(1)
	other := record(2)
	create(t, r, want, other)

	want.Purpose = "'archive' 🦄"
	// The second call sets the same purpose again.
	for range 2 {
		got, err := r.SetPurpose(t.Context(), want.ID, want.Purpose)
		require.NoError(t, err)
		same(t, want, got)
		got, err = r.Record(t.Context(), want.ID)
		require.NoError(t, err)
		same(t, want, got)
	}

	got, err := r.Record(t.Context(), other.ID)
	require.NoError(t, err)
	same(t, other, got)
}

// purposeAway tests that SetPurpose with an empty purpose removes the purpose of a record, so that
// a filter by the purpose no longer finds it.
func purposeAway(t *testing.T, r uploads.Records) {
	want := record(1)
	create(t, r, want)
	want.Purpose = ""
	got, err := r.SetPurpose(t.Context(), want.ID, "")
	require.NoError(t, err)
	same(t, want, got)
	require.Empty(t, all(t, r, uploads.Filter{Purpose: "reports"}, 10))
	require.Equal(t, []string{want.ID}, all(t, r, uploads.Filter{}, 10))
}

// purposeOfNothing tests that SetPurpose fails for a missing record, and creates none.
func purposeOfNothing(t *testing.T, r uploads.Records) {
	got, err := r.SetPurpose(t.Context(), uploads.NewID(day), "reports")
	absent(t, err)
	require.Nil(t, got)
	require.Empty(t, all(t, r, uploads.Filter{}, 10))
}

// removed tests that a removed record is gone for every method, and that Remove can be repeated.
func removed(t *testing.T, r uploads.Records) {
	file := record(1)
	stays := record(2)
	create(t, r, file, stays)
	require.NoError(t, r.Remove(t.Context(), file))
	require.NoError(t, r.Remove(t.Context(), file), "again")
	_, err := r.Record(t.Context(), file.ID)
	absent(t, err)
	_, err = r.SetPurpose(t.Context(), file.ID, "back")
	absent(t, err)
	require.Equal(t, []string{stays.ID}, all(t, r, uploads.Filter{}, 10))
}

// freeAgain tests that a record can be created once more after it was removed.
func freeAgain(t *testing.T, r uploads.Records) {
	one := record(1)
	create(t, r, one)
	require.NoError(t, r.Remove(t.Context(), one))
	create(t, r, one)
	got, err := r.Record(t.Context(), one.ID)
	require.NoError(t, err)
	same(t, one, got)
}
