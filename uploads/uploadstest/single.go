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

func givenBack(t *testing.T, r uploads.Records) {
	for name, change := range map[string]func(*uploads.File){
		"all fields": func(*uploads.File) {},
		"nothing optional": func(r *uploads.File) {
			r.Key = "files/" + r.ID
			r.Purpose = ""
			r.User.ID = ""
			r.CRC32C = storage.CRC32C{}
		},
		"an empty file": func(r *uploads.File) {
			r.Size = 0
			r.CRC32C.Sum = 0
		},
		"the greatest numbers": func(r *uploads.File) {
			r.Size = math.MaxInt64
			r.CRC32C.Sum = math.MaxUint32
		},
		"the last millisecond": func(r *uploads.File) {
			r.ID = uploads.NewID(day.Add(999 * time.Millisecond))
		},
		"an expiry": func(r *uploads.File) {
			r.Expires = day.Add(time.Millisecond)
		},
		"every kind of text": func(r *uploads.File) {
			r.Name = "Ünïcode \u05d0\u05d1 日本 🦄 \u200d <b>'\";-- %_$1 ?.pdf"
			r.Purpose = "100%_ of 'it'"
			r.User.ID = `a\b "c" $1 ?`
		},
		"the longest text": func(r *uploads.File) {
			r.Name = strings.Repeat("🦄", 1000)
			r.Purpose = strings.Repeat("é", 256)
			r.User.ID = strings.Repeat("日", 256)
			r.ContentType = "text/" + strings.Repeat("x", 250)
		},
	} {
		want := record(1)
		change(want)
		create(t, r, want)
		got, err := r.Record(t.Context(), want.ID)
		require.NoError(t, err, name)
		same(t, want, got)
	}
}

func unstorable(t *testing.T, r uploads.Records) {
	file := record(1)
	create(t, r, file)
	for _, text := range []string{"a\x00b", "a\xffb"} {
		for name, change := range map[string]func(*uploads.File){
			"Name": func(r *uploads.File) {
				r.Name = text
			},
			"ContentType": func(r *uploads.File) {
				r.ContentType = text
			},
			"User": func(r *uploads.File) {
				r.User.ID = text
			},
			"Purpose": func(r *uploads.File) {
				r.Purpose = text
				r.Expires = day
			},
		} {
			one := record(2)
			change(one)
			err := r.Create(t.Context(), one)
			require.ErrorIs(t, err, storage.InvalidArgument, name)
			require.NotErrorIs(t, err, storage.OutcomeUnknown, name)
			_, err = r.Record(t.Context(), one.ID)
			absent(t, err)
		}
		_, err := r.SetPurpose(t.Context(), file.ID, text)
		require.ErrorIs(t, err, storage.InvalidArgument)
		require.NotErrorIs(t, err, storage.OutcomeUnknown)
		for _, q := range []uploads.Filter{{Purpose: text}, {User: text}} {
			_, _, err = r.List(t.Context(), q, "", 1)
			require.ErrorIs(t, err, storage.InvalidArgument)
		}
	}
	got, err := r.Record(t.Context(), file.ID)
	require.NoError(t, err)
	same(t, file, got)
	expired, err := r.Expired(t.Context(), day.Add(time.Hour), 10)
	require.NoError(t, err)
	require.Empty(t, expired)
}

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

func notThere(t *testing.T, r uploads.Records) {
	create(t, r, record(1))
	for _, id := range []string{uploads.NewID(day), "a\x00b"} {
		got, err := r.Record(t.Context(), id)
		absent(t, err)
		require.Nil(t, got, "%q", id)
	}
}

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

func purposeAlone(t *testing.T, r uploads.Records) {
	want := record(1)
	other := record(2)
	create(t, r, want, other)
	want.Purpose = "'archive' 🦄"
	for range 2 { // the second call sets the same purpose again
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

func purposeOfNothing(t *testing.T, r uploads.Records) {
	got, err := r.SetPurpose(t.Context(), uploads.NewID(day), "reports")
	absent(t, err)
	require.Nil(t, got)
	require.Empty(t, all(t, r, uploads.Filter{}, 10))
}

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

func freeAgain(t *testing.T, r uploads.Records) {
	one := record(1)
	create(t, r, one)
	require.NoError(t, r.Remove(t.Context(), one))
	create(t, r, one)
	got, err := r.Record(t.Context(), one.ID)
	require.NoError(t, err)
	same(t, one, got)
}
