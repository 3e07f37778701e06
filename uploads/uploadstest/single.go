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
	{"a created record is returned", testRecord},
	{"an existing ID is refused, and its record stays", testCreateTwice},
	{"a missing record is not found", testRecordMissing},
	{"a returned record belongs to the caller", testRecordCopies},
	{"only the purpose is changed", testSetPurpose},
	{"a purpose is removed", testRemovePurpose},
	{"a purpose of a missing record creates nothing", testSetPurposeMissing},
	{"a removed record is gone, and can be removed again", testRemove},
	{"an ID can be used again after its record was removed", testCreateAfterRemove},
	{"text that a database or JSON cannot keep is refused", testInvalidText},
}

// testRecord tests that Record returns a record with every field as it was created, even if a field
// is empty or has its greatest value.
func testRecord(t *testing.T, r uploads.Records) {
	allFields := newRecord(1)

	nothingOptional := newRecord(1)
	nothingOptional.Key = "files/" + nothingOptional.ID
	nothingOptional.Purpose = ""
	nothingOptional.User.ID = ""
	nothingOptional.CRC32C = storage.CRC32C{}

	emptyFile := newRecord(1)
	emptyFile.Size = 0
	emptyFile.CRC32C.Sum = 0

	greatestNumbers := newRecord(1)
	greatestNumbers.Size = math.MaxInt64
	greatestNumbers.CRC32C.Sum = math.MaxUint32

	lastMillisecond := newRecord(1)
	lastMillisecond.ID = uploads.NewID(day.Add(999 * time.Millisecond))

	withExpiry := newRecord(1)
	withExpiry.Expires = day.Add(time.Millisecond)

	everyText := newRecord(1)
	everyText.Name = "Ünïcode \u05d0\u05d1 日本 🦄 \u200d <b>'\";-- %_$1 ?.pdf"
	everyText.Purpose = "100%_ of 'it'"
	everyText.User.ID = `a\b "c" $1 ?`

	longestText := newRecord(1)
	longestText.Name = strings.Repeat("🦄", 1000)
	longestText.Purpose = strings.Repeat("é", 256)
	longestText.User.ID = strings.Repeat("日", 256)
	longestText.ContentType = "text/" + strings.Repeat("x", 250)

	tests := []struct {
		name   string
		record *uploads.File
	}{
		{name: "all fields", record: allFields},
		{name: "nothing optional", record: nothingOptional},
		{name: "an empty file", record: emptyFile},
		{name: "the greatest numbers", record: greatestNumbers},
		{name: "the last millisecond", record: lastMillisecond},
		{name: "an expiry", record: withExpiry},
		{name: "every kind of text", record: everyText},
		{name: "the longest text", record: longestText},
	}
	for _, tt := range tests {
		create(t, r, tt.record)
		got, err := r.Record(t.Context(), tt.record.ID)
		require.NoError(t, err, tt.name)
		requireRecord(t, tt.record, got)
	}
}

// testInvalidText tests that every method refuses a text with a NUL byte or with invalid UTF-8, and
// that nothing is stored then.
func testInvalidText(t *testing.T, r uploads.Records) {
	file := newRecord(1)
	create(t, r, file)

	for _, text := range []string{"a\x00b", "a\xffb"} {
		// Try the text as each field of a record, as a new purpose, and in filters.
		requireNotCreated(t, r, text)

		_, err := r.SetPurpose(t.Context(), file.ID, text)
		require.ErrorIs(t, err, storage.InvalidArgument)
		require.NotErrorIs(t, err, storage.OutcomeUnknown)

		for _, filter := range []uploads.Filter{{Purpose: text}, {User: text}} {
			_, _, err = r.List(t.Context(), filter, "", 1)
			require.ErrorIs(t, err, storage.InvalidArgument)
		}
	}

	// The record is unchanged, and no other one was created.
	got, err := r.Record(t.Context(), file.ID)
	require.NoError(t, err)
	requireRecord(t, file, got)
	expired, err := r.Expired(t.Context(), day.Add(time.Hour), 10)
	require.NoError(t, err)
	require.Empty(t, expired)
}

// requireNotCreated requires that Create refuses a record with the text, whichever field it is in.
func requireNotCreated(t *testing.T, r uploads.Records, text string) {
	t.Helper()
	badName := newRecord(2)
	badName.Name = text
	badType := newRecord(2)
	badType.ContentType = text
	badUser := newRecord(2)
	badUser.User.ID = text
	badPurpose := newRecord(2)
	badPurpose.Purpose = text
	badPurpose.Expires = day

	// Each record has the text in one field.
	tests := []struct {
		field  string
		record *uploads.File
	}{
		{field: "Name", record: badName},
		{field: "ContentType", record: badType},
		{field: "User", record: badUser},
		{field: "Purpose", record: badPurpose},
	}

	for _, tt := range tests {
		err := r.Create(t.Context(), tt.record)
		require.ErrorIs(t, err, storage.InvalidArgument, tt.field)
		require.NotErrorIs(t, err, storage.OutcomeUnknown, tt.field)
		_, err = r.Record(t.Context(), tt.record.ID)
		requireNotFound(t, err)
	}
}

// testCreateTwice tests that Create refuses the ID of an existing record, even for an equal record,
// and leaves the existing one as it is.
func testCreateTwice(t *testing.T, r uploads.Records) {
	first := newRecord(1)
	create(t, r, first)
	second := newRecord(2)
	second.ID = first.ID

	require.ErrorIs(t, r.Create(t.Context(), second), storage.PreconditionFailed)
	require.ErrorIs(t, r.Create(t.Context(), first), storage.PreconditionFailed)

	got, err := r.Record(t.Context(), first.ID)
	require.NoError(t, err)
	requireRecord(t, first, got)
}

// testRecordMissing tests that Record fails with ObjectNotFound for an ID without a record, even if
// no store can keep the ID.
func testRecordMissing(t *testing.T, r uploads.Records) {
	create(t, r, newRecord(1))
	withNUL := "a\x00b"
	for _, id := range []string{uploads.NewID(day), withNUL} {
		got, err := r.Record(t.Context(), id)
		requireNotFound(t, err)
		require.Nil(t, got, "%q", id)
	}
}

// testRecordCopies tests that a stored record does not change with the File that was passed to
// Create, or with the one that Record returned.
func testRecordCopies(t *testing.T, r uploads.Records) {
	file := newRecord(1)
	want := newRecord(1)
	want.ID = file.ID
	want.Key = file.Key
	create(t, r, file)

	file.Purpose = "another"
	file.CRC32C.Sum = 77
	first, err := r.Record(t.Context(), want.ID)
	require.NoError(t, err)
	requireRecord(t, want, first)

	first.Purpose = "another"
	first.CRC32C.Sum = 77
	second, err := r.Record(t.Context(), want.ID)
	require.NoError(t, err)
	requireRecord(t, want, second)
}

// testSetPurpose tests that SetPurpose changes only the purpose of the one record.
func testSetPurpose(t *testing.T, r uploads.Records) {
	want := newRecord(1)
	other := newRecord(2)
	create(t, r, want, other)

	// The second call sets the purpose that the record already has.
	want.Purpose = "'archive' 🦄"
	for range 2 {
		got, err := r.SetPurpose(t.Context(), want.ID, want.Purpose)
		require.NoError(t, err)
		requireRecord(t, want, got)
		got, err = r.Record(t.Context(), want.ID)
		require.NoError(t, err)
		requireRecord(t, want, got)
	}

	got, err := r.Record(t.Context(), other.ID)
	require.NoError(t, err)
	requireRecord(t, other, got)
}

// testRemovePurpose tests that SetPurpose with an empty purpose removes the purpose, so that a
// filter by it no longer finds the record.
func testRemovePurpose(t *testing.T, r uploads.Records) {
	want := newRecord(1)
	create(t, r, want)

	want.Purpose = ""
	got, err := r.SetPurpose(t.Context(), want.ID, "")
	require.NoError(t, err)
	requireRecord(t, want, got)

	require.Empty(t, listIDs(t, r, uploads.Filter{Purpose: "reports"}, 10))
	require.Equal(t, []string{want.ID}, listIDs(t, r, uploads.Filter{}, 10))
}

// testSetPurposeMissing tests that SetPurpose fails for an ID without a record, and creates none.
func testSetPurposeMissing(t *testing.T, r uploads.Records) {
	got, err := r.SetPurpose(t.Context(), uploads.NewID(day), "reports")
	requireNotFound(t, err)
	require.Nil(t, got)
	require.Empty(t, listIDs(t, r, uploads.Filter{}, 10))
}

// testRemove tests that no method finds a removed record, and that Remove can be repeated.
func testRemove(t *testing.T, r uploads.Records) {
	file := newRecord(1)
	kept := newRecord(2)
	create(t, r, file, kept)
	require.NoError(t, r.Remove(t.Context(), file))
	require.NoError(t, r.Remove(t.Context(), file), "a second time")

	_, err := r.Record(t.Context(), file.ID)
	requireNotFound(t, err)
	_, err = r.SetPurpose(t.Context(), file.ID, "back")
	requireNotFound(t, err)
	require.Equal(t, []string{kept.ID}, listIDs(t, r, uploads.Filter{}, 10))
}

// testCreateAfterRemove tests that a record can be created again, under the same ID, after it was removed.
func testCreateAfterRemove(t *testing.T, r uploads.Records) {
	want := newRecord(1)
	create(t, r, want)
	require.NoError(t, r.Remove(t.Context(), want))
	create(t, r, want)

	got, err := r.Record(t.Context(), want.ID)
	require.NoError(t, err)
	requireRecord(t, want, got)
}
