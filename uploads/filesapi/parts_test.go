package filesapi_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// sendPart stores a part, and requires that this succeeds. If the part completes the file, sendPart
// returns the record.
func (f *fixture) sendPart(t *testing.T, body string, o filesapi.PartOptions) *filesapi.Record {
	t.Helper()
	record, err := f.store.UploadPart(t.Context(), strings.NewReader(body), o)
	require.NoError(t, err)
	return record
}

// replaceFirstPart overwrites the object of part 1. A call that began earlier may do the same.
func (f *fixture) replaceFirstPart(t *testing.T, content string) {
	t.Helper()
	for _, key := range keysUnder(t, f.bucket, "files/parts/") {
		if strings.HasSuffix(key, "/00001") {
			_, err := f.bucket.Upload(t.Context(), key, strings.NewReader(content))
			require.NoError(t, err)
		}
	}
}

// A part that is sent again replaces the earlier one.
func TestUploadPartReplacesEarlierOne(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{})
		require.Nil(t, f.sendPart(t, "wrong, and longer", part(1).of(2)))
		require.Nil(t, f.sendPart(t, "right ", part(1).of(2)))
		record := f.sendPart(t, "end", part(2).of(2))
		require.Equal(t, "right end", readContent(t, f.store, record.ID))
		require.EqualValues(t, 9, record.OriginalLength)
	})
}

// A file can be uploaded as one part.
func TestUploadPartOnlyOne(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{})
		record := f.sendPart(t, "all", part(1).of(1))
		require.Equal(t, "all", readContent(t, f.store, record.ID))
		requireRecordsMatchObjects(t, f.bucket, f.records)
	})
}

// Any part may be empty. Even all parts of a file may be.
func TestUploadPartEmpty(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{})
		f.sendPart(t, "", part(1).of(3))
		f.sendPart(t, "", part(3).of(3))

		record := f.sendPart(t, "x", part(2).of(3))
		require.Equal(t, "x", readContent(t, f.store, record.ID))
		record = f.sendPart(t, "", partOptions("token-5678", 1, 1))
		require.Empty(t, readContent(t, f.store, record.ID))
		requireRecordsMatchObjects(t, f.bucket, f.records)
	})
}

// A file in parts gets its type from its name, or else from the first bytes of its first part.
func TestUploadPartType(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		png := "\x89PNG\r\n\x1a\n" + strings.Repeat("\x00", 600)
		tests := []struct {
			name     string
			fileName string
			want     string // MIME type
		}{
			{name: "known extension", fileName: "a.txt", want: "text/plain; charset=utf-8"},
			{name: "no extension", fileName: "a", want: "image/png"},
			{name: "unknown extension", fileName: "a.unheardof", want: "image/png"},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				f := o.open(t, filesapi.StoreConfig{})

				opts := part(2).of(2)
				opts.OriginalFileName = tt.fileName

				// The last part arrives first.
				f.sendPart(t, "<html>not the first part", opts)

				opts.Part = 1
				record := f.sendPart(t, png, opts)
				require.Equal(t, tt.want, record.MIMEType)
				requireRecordsMatchObjects(t, f.bucket, f.records)
			})
		}
	})
}

// UploadPart refuses a part whose parameters differ from those of the earlier parts, and changes nothing.
func TestUploadPartMustMatch(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{})
		require.Nil(t, f.sendPart(t, "x", part(1).of(3)))

		moreParts := part(2).of(4)
		fewerParts := part(2).of(2)
		otherName := part(2).of(3)
		otherName.OriginalFileName = "b.txt"
		otherPurpose := part(2).of(3)
		otherPurpose.Purpose = "x"

		tests := []struct {
			name      string
			options   filesapi.PartOptions
			wantField string
		}{
			{name: "more parts", options: moreParts, wantField: "count"},
			{name: "fewer parts", options: fewerParts, wantField: "count"},
			{name: "another name", options: otherName, wantField: "originalFileName"},
			{name: "another purpose", options: otherPurpose, wantField: "Purpose"},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				_, err := f.store.UploadPart(t.Context(), strings.NewReader("x"), tt.options)
				requireRefused(t, err, tt.wantField, uploads.PartsChanged, storage.PreconditionFailed)
			})
		}

		// The part with the right parameters still completes the file.
		f.sendPart(t, "y", part(2).of(3))
		record := f.sendPart(t, "z", part(3).of(3))
		require.Equal(t, "xyz", readContent(t, f.store, record.ID))
	})
}

// An upload of one user, an upload of another user and an upload of a temp file may have the same
// token. They share no parts.
func TestUploadPartSharedToken(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{})

		// Three uploads begin with the same token: one of user-1, one of user-2, and one of a temp file.
		mine := part(1).of(2)
		theirs := part(1).of(3)
		theirs.UploadedBy = "user-2"
		f.sendPart(t, "mine ", mine)
		f.sendPart(t, "theirs", theirs)
		_, err := f.store.UploadTempPart(t.Context(), strings.NewReader("temp"), part(1).of(4))
		require.NoError(t, err)

		// The second part of user-1 completes the file of user-1.
		mine.Part = 2
		record := f.sendPart(t, "too", mine)
		require.Equal(t, "mine too", readContent(t, f.store, record.ID))
	})
}

// The upload of a temp file has a state of its own. A client cannot reach that state with a token
// that looks like the key of the state.
func TestTokenIsNotThatOfTempFile(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	temp, err := f.store.UploadTempPart(t.Context(), strings.NewReader("temp"), part(1).of(2))
	require.NoError(t, err)
	require.Nil(t, temp)

	hashOfTemp := fmt.Sprintf("temp-%x", sha256.Sum256([]byte(token)))
	record := f.sendPart(t, "client", partOptions(hashOfTemp, 1, 1))
	require.Equal(t, "client", readContent(t, f.store, record.ID))
}

// A token makes one file: later calls with it fail with Completed, even after the file was deleted.
func TestTokenIsUsedOnce(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{})
		f.sendPart(t, "a", part(1).of(2))
		record := f.sendPart(t, "b", part(2).of(2))

		// A client that has lost the response sends a part again, and gets the record. The body of
		// its request is not read.
		for number := 1; number <= 2; number++ {
			repeated, err := f.store.UploadPart(t.Context(), unreadBody{t}, part(number).of(2))
			requireRefused(t, err, "token", uploads.Completed, storage.PreconditionFailed)
			require.Equal(t, record, repeated)
		}

		// The token cannot be used for a file of three parts.
		_, err := f.store.UploadPart(t.Context(), unreadBody{t}, part(3).of(3))
		requireRefused(t, err, "count", uploads.PartsChanged, storage.PreconditionFailed)

		// After the file was deleted, the token makes no other file.
		require.NoError(t, f.store.Delete(t.Context(), record.ID))
		repeated, err := f.store.UploadPart(t.Context(), unreadBody{t}, part(2).of(2))
		requireRefused(t, err, "token", uploads.Completed, storage.PreconditionFailed)
		require.Nil(t, repeated)
		require.Empty(t, listIDs(t, f.store, uploads.Filter{}, 10))
	})
}

// unreadBody is a body that must not be read.
type unreadBody struct{ t *testing.T }

func (u unreadBody) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

// No part of a file is left in the bucket after the file was made.
func TestUploadPartLeavesNoPart(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{})
		const count = 12
		for number := 1; number <= count; number++ {
			f.sendPart(t, "x", part(number).of(count))
		}
		leftovers := keysUnder(t, f.bucket, "files/parts/")
		require.Len(t, leftovers, f.statesInBucket(), "more than the state is left: %v", leftovers)
	})
}

// A part whose body is cut off is not stored, and can be sent again.
func TestUploadPartCutOff(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{})
		f.sendPart(t, "a", part(1).of(2))

		// The body of the last part is cut off.
		cause := errors.New("the sender went away")
		body := io.MultiReader(strings.NewReader("b"), errReader{cause})
		_, err := f.store.UploadPart(t.Context(), body, part(2).of(2))
		requireRefused(t, err, "file", uploads.Interrupted, storage.BodyFailed)
		require.ErrorIs(t, err, cause)

		// The part is sent again.
		record := f.sendPart(t, "b", part(2).of(2))
		require.Equal(t, "ab", readContent(t, f.store, record.ID))
	})
}

// UploadPart joins the parts with the Compose of the store, or reads and writes them if the store has none.
func TestUploadPartJoinsInStore(t *testing.T) {
	tests := []struct {
		name         string
		disabled     storage.Features
		wantComposes int
	}{
		{name: "store with Compose", wantComposes: 1},
		{name: "store without Compose", disabled: storage.ServerCompose, wantComposes: 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			calls := faults.New()
			limits := faults.WithLimits(faults.Limits{Disable: tt.disabled})
			f := newMemoryFixture(t, filesapi.StoreConfig{}, driver.WithLayer(calls.Layer()), driver.WithLayer(limits))
			f.sendPart(t, "a", part(1).of(2))
			record := f.sendPart(t, "b", part(2).of(2))
			require.Equal(t, tt.wantComposes, calls.Count(faults.Compose))
			require.Equal(t, "ab", readContent(t, f.store, record.ID))
		})
	}
}

// UploadPart makes at most four requests to the store, and no List, unless its part is the last one.
func TestUploadPartRequests(t *testing.T) {
	const (
		count       = 200
		maxRequests = 4
	)

	calls := faults.New()
	f := newMemoryFixture(t, filesapi.StoreConfig{}, driver.WithLayer(calls.Layer()))

	f.sendPart(t, "x", part(1).of(count))
	for number := 2; number < count; number++ {
		calls.Reset()
		f.sendPart(t, "x", part(number).of(count))
		require.LessOrEqual(t, calls.Count(faults.Any), maxRequests, "part %d", number)
		require.Zero(t, calls.Count(faults.List), "part %d", number)
	}

	require.NotNil(t, f.sendPart(t, "x", part(count).of(count)))
}
