package filesapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

var errEvil = &uploads.Error{Field: "file", Code: uploads.Refused, Message: "No evil here.", Err: storage.InvalidArgument}

// refuseEvil refuses content that has the word "evil" in it.
func refuseEvil(_ context.Context, r *filesapi.Record, content *storage.ReaderAt) error {
	data, err := io.ReadAll(io.NewSectionReader(content, 0, content.Attrs().Size))
	if err != nil {
		return err
	}
	if int64(len(data)) != r.OriginalLength {
		return fmt.Errorf("%d bytes in place of %d", len(data), r.OriginalLength)
	}
	if strings.Contains(string(data), "evil") {
		return errEvil
	}
	return nil
}

// errorOf returns the error of a call that also returns a record.
func errorOf(_ *filesapi.Record, err error) error { return err }

// requireNothingLeft checks that neither an object nor a state of an upload is left.
func requireNothingLeft(t *testing.T, f *fixture) {
	t.Helper()
	require.Empty(t, keysUnder(t, f.bucket, ""))
	if f.database != nil {
		states, _, err := f.database.ListStates(t.Context(), "", 10)
		require.NoError(t, err)
		require.Empty(t, states)
	}
}

// Inspect sees the content of each file once, before the file exists, and cannot change the record.
func TestInspectBeforeFileExists(t *testing.T) {
	tests := []struct {
		name string
		send func(t *testing.T, f *fixture) (*filesapi.Record, error)
	}{
		{name: "a file", send: sendGoodFile},
		{name: "an empty file", send: sendEmptyFile},
		{name: "parts", send: sendGoodParts},
	}
	runOnEachStore(t, func(t *testing.T, o opener) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				var f *fixture
				inspections := 0

				// The scanner finds no file yet, and tries to change the record.
				inspect := func(ctx context.Context, r *filesapi.Record, content *storage.ReaderAt) error {
					inspections++
					require.Empty(t, keysUnder(t, f.bucket, "files/client/"))
					require.Empty(t, listIDs(t, f.store, uploads.Filter{}, 10))
					require.Equal(t, "note.txt", r.OriginalFileName)
					r.OriginalFileName = "changed"
					return refuseEvil(ctx, r, content)
				}
				f = o.open(t, filesapi.StoreConfig{Inspect: inspect})

				// The file was inspected once, and its record is not changed.
				r, err := tt.send(t, f)
				require.NoError(t, err)
				require.Equal(t, 1, inspections)
				require.Equal(t, "note.txt", r.OriginalFileName)
				require.Equal(t, "text/plain; charset=utf-8", r.MIMEType)

				// The file has all bytes.
				data, _, err := storage.ReadAll(t.Context(), f.bucket, "files/client/"+r.ID+".txt")
				require.NoError(t, err)
				require.EqualValues(t, r.OriginalLength, len(data))
				requireRecordsMatchObjects(t, f.bucket, f.records)
			})
		}
	})
}

func sendGoodFile(t *testing.T, f *fixture) (*filesapi.Record, error) {
	return f.store.Upload(t.Context(), strings.NewReader("good"), fileOptions("note.txt"))
}

func sendEmptyFile(t *testing.T, f *fixture) (*filesapi.Record, error) {
	return f.store.Upload(t.Context(), strings.NewReader(""), fileOptions("note.txt"))
}

func sendGoodParts(t *testing.T, f *fixture) (*filesapi.Record, error) {
	f.sendPart(t, "od", part(2).of(2))
	return f.store.UploadPart(t.Context(), strings.NewReader("go"), part(1).of(2))
}

// After a file was made from parts and inspected, the parts are gone. Only the state that marks the token as used is
// left.
func TestInspectLeavesNoParts(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{Inspect: refuseEvil})
		_, err := sendGoodParts(t, f)
		require.NoError(t, err)
		_, err = f.store.UploadTemp(t.Context(), strings.NewReader("good"), fileOptions("note.txt"))
		require.NoError(t, err)
		requireRecordsMatchObjects(t, f.bucket, f.records)
		require.Len(t, keysUnder(t, f.bucket, "files/parts/"), f.statesInBucket())
	})
}

// Nothing is left of a file that Inspect refuses. If it was sent in parts, their token may be used for another file.
func TestInspectRefusesLeavesNothing(t *testing.T) {
	tests := []struct {
		name string
		send func(t *testing.T, s *filesapi.Store) error
	}{
		{name: "a file", send: sendEvilFile},
		{name: "a temp file", send: sendEvilTempFile},
		{name: "parts", send: sendEvilParts},
		{name: "parts of a temp file", send: sendEvilTempParts},
	}
	runOnEachStore(t, func(t *testing.T, o opener) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				// Inspect refuses content with the word "evil", which each file has.
				f := o.open(t, filesapi.StoreConfig{Inspect: refuseEvil})

				// The file is refused, and nothing of it is stored.
				err := tt.send(t, f.store)
				requireRefused(t, err, "file", uploads.Refused, storage.InvalidArgument)
				requireNothingLeft(t, f)

				// Send another file in parts. All parts of this test have the same token.
				f.sendPart(t, "a", part(1).of(2))
				record := f.sendPart(t, "b", part(2).of(2))
				require.Equal(t, "ab", readContent(t, f.store, record.ID))
			})
		}
	})
}

func sendEvilFile(t *testing.T, s *filesapi.Store) error {
	return errorOf(s.Upload(t.Context(), strings.NewReader("evil"), fileOptions("note.txt")))
}

func sendEvilTempFile(t *testing.T, s *filesapi.Store) error {
	return errorOf(s.UploadTemp(t.Context(), strings.NewReader("evil"), fileOptions("note.txt")))
}

func sendEvilParts(t *testing.T, s *filesapi.Store) error {
	_, err := s.UploadPart(t.Context(), strings.NewReader("il"), part(2).of(2))
	require.NoError(t, err)
	return errorOf(s.UploadPart(t.Context(), strings.NewReader("ev"), part(1).of(2)))
}

func sendEvilTempParts(t *testing.T, s *filesapi.Store) error {
	_, err := s.UploadTempPart(t.Context(), strings.NewReader("il"), part(2).of(2))
	require.NoError(t, err)
	return errorOf(s.UploadTempPart(t.Context(), strings.NewReader("ev"), part(1).of(2)))
}

// If Inspect fails for a file that was sent in parts, the parts stay. The client can then complete
// the upload later.
func TestInspectFailsPartsStay(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		// The scanner fails as long as inspectErr is not nil.
		inspectErr := errors.New("the scanner is not there")
		inspect := func(ctx context.Context, r *filesapi.Record, content *storage.ReaderAt) error {
			if inspectErr != nil {
				return inspectErr
			}
			return refuseEvil(ctx, r, content)
		}

		f := o.open(t, filesapi.StoreConfig{Inspect: inspect})

		// The last part would complete the file.
		f.sendPart(t, "a", part(1).of(2))
		_, err := f.store.UploadPart(t.Context(), strings.NewReader("b"), part(2).of(2))
		require.Equal(t, uploads.StoreFailed, uploads.CodeOf(err))
		require.ErrorIs(t, err, inspectErr)
		require.Empty(t, keysUnder(t, f.bucket, "files/client/"))

		// The scanner works again. The last part is sent again, and completes the file.
		inspectErr = nil
		r := f.sendPart(t, "b", part(2).of(2))
		require.Equal(t, "ab", readContent(t, f.store, r.ID))
		requireRecordsMatchObjects(t, f.bucket, f.records)

		// If the application refuses a file with an error of its own, this error is returned
		// unchanged.
		inspectErr = errEvil
		_, err = f.store.Upload(t.Context(), strings.NewReader("b"), fileOptions("note.txt"))
		require.ErrorIs(t, err, errEvil)
	})
}

// The stored file has the bytes that Inspect saw, even if a part is replaced during the inspection.
func TestInspectPartArrivesMeanwhile(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		var f *fixture

		// The first inspection replaces the content of part 1.
		replaceFirstPart := sync.OnceFunc(func() { f.replaceFirstPart(t, "evil") })
		inspect := func(ctx context.Context, r *filesapi.Record, content *storage.ReaderAt) error {
			replaceFirstPart()
			return refuseEvil(ctx, r, content)
		}
		f = o.open(t, filesapi.StoreConfig{Inspect: inspect})
		f.sendPart(t, "a", part(1).of(2))

		r := f.sendPart(t, "b", part(2).of(2))
		require.Equal(t, "ab", readContent(t, f.store, r.ID))
		requireRecordsMatchObjects(t, f.bucket, f.records)
	})
}

// Several calls complete a file at the same time, and Inspect refuses it. No file is left, and at least one call
// reports the refusal.
func TestInspectRefusesCallsAtOnce(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		const parts = 5
		f := o.open(t, filesapi.StoreConfig{Inspect: refuseEvil})
		f.sendPart(t, "evil", part(1).of(parts))

		// Send the other parts at the same time. Their numbers begin with 2.
		errs := make([]error, parts-1)
		var calls sync.WaitGroup
		for i := range errs {
			calls.Go(func() {
				_, errs[i] = f.store.UploadPart(t.Context(), strings.NewReader("x"), part(i+2).of(parts))
			})
		}
		calls.Wait()

		// A call has no error if its part was not the last one, and NotFound if the refusal of another call has already
		// removed the upload.
		refusals := 0
		for _, err := range errs {
			switch uploads.CodeOf(err) {
			case uploads.Refused:
				refusals++
			case uploads.NotFound:
			default:
				require.NoError(t, err)
			}
		}
		require.NotZero(t, refusals)
		require.Empty(t, keysUnder(t, f.bucket, "files/client/"))
		require.Empty(t, listIDs(t, f.store, uploads.Filter{}, 10))
	})
}

// If a call dies during Inspect, Sweep removes the content that it left.
func TestSweepAfterInspectDied(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		const staged = "files/parts/" // prefix of content that is not a file yet
		c := filesapi.StoreConfig{Inspect: refuseEvil}
		f := o.open(t, c)

		// The process is killed after Inspect has read the content. That read is the first Get of
		// the process.
		d := &killer{afterCall: "Get"}
		bucket := f.openBeside(t, driver.WithLayer(d.layer), withoutRetry).bucket
		c.Now = f.clock.Now
		dying, err := filesapi.NewStore(bucket, f.records, c)
		require.NoError(t, err)
		_, err = dying.Upload(t.Context(), strings.NewReader("good"), fileOptions("note.txt"))
		require.Error(t, err)

		// The killed process leaves the content, but no file.
		require.Len(t, keysUnder(t, f.bucket, staged), 1)
		require.Empty(t, keysUnder(t, f.bucket, "files/client/"))

		f.clock.Advance(longIdle)
		f.sweep(t)
		require.Empty(t, keysUnder(t, f.bucket, staged))
	})
}

// Inspect works in each kind of store, with records in the bucket or in a database.
func TestInspectInEachPlace(t *testing.T) {
	const minPartOfMinIO = 5 << 20 // MinIO joins parts of this size without streaming
	large := strings.Repeat("x", minPartOfMinIO)
	for _, place := range places() {
		for _, backend := range backends() {
			t.Run(place.name+", records in "+backend.name, func(t *testing.T) {
				bucket := place.open(t)
				s, err := filesapi.NewStore(bucket, backend.open(t, bucket), filesapi.StoreConfig{Inspect: refuseEvil})
				require.NoError(t, err)
				sendTwoParts := func(first, second string) (*filesapi.Record, error) {
					_, err := s.UploadPart(t.Context(), strings.NewReader(first), part(1).of(2))
					require.NoError(t, err)
					return s.UploadPart(t.Context(), strings.NewReader(second), part(2).of(2))
				}

				// Parts with forbidden content are refused.
				_, err = sendTwoParts(large, "evil")
				require.Equal(t, uploads.Refused, uploads.CodeOf(err), "%v", err)
				require.Empty(t, keysUnder(t, bucket, ""))

				// Parts with other content make a file.
				r, err := sendTwoParts(large, "good")
				require.NoError(t, err)
				require.Equal(t, large+"good", readContent(t, s, r.ID))
				require.Equal(t, "text/plain; charset=utf-8", r.MIMEType)

				// A whole file with forbidden content is refused, and the good one stays.
				err = sendEvilFile(t, s)
				require.Equal(t, uploads.Refused, uploads.CodeOf(err))
				require.Len(t, keysUnder(t, bucket, "files/client/"), 1)
			})
		}
	}
}

// If Inspect refuses a file, the response has the message of Inspect's error.
func TestInspectRefusesOverHTTP(t *testing.T) {
	api := newAPI(t, newMemoryFixture(t, filesapi.StoreConfig{Inspect: refuseEvil}), filesapi.HandlerConfig{})
	_, err := api.client.Upload(t.Context(), "note.txt", strings.NewReader("evil"), "")
	refused := requireRefused(t, err, "file", uploads.Refused, storage.InvalidArgument)
	require.Equal(t, errEvil.Message, refused.Message)

	_, err = api.client.Upload(t.Context(), "note.txt", strings.NewReader("good"), "")
	require.NoError(t, err)
}
