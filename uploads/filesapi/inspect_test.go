package filesapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

var errEvil = &uploads.Error{Field: "file", Code: uploads.Refused, Message: "No evil here.", Err: storage.InvalidArgument}

// noEvil refuses content with a word in it.
func noEvil(_ context.Context, r *filesapi.Record, content *storage.ReaderAt) error {
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

func failure(_ *filesapi.Record, err error) error { return err }

// requireNothingLeft checks that no object is left, and no state.
func requireNothingLeft(t *testing.T, f *fixture) {
	t.Helper()
	require.Empty(t, keysUnder(t, f.bucket, ""))
	if f.database != nil {
		states, _, err := f.database.ListStates(t.Context(), "", 10)
		require.NoError(t, err)
		require.Empty(t, states)
	}
}

// Content is inspected before the file exists.
func TestInspectBeforeFileExists(t *testing.T) {
	runOnEach(t, func(t *testing.T, o opener) {
		var f *fixture
		inspected := 0
		f = o.open(t, filesapi.StoreConfig{Inspect: func(ctx context.Context, r *filesapi.Record, content *storage.ReaderAt) error {
			inspected++
			require.Empty(t, keysUnder(t, f.bucket, "files/client/"))
			require.Empty(t, listIDs(t, f.store, uploads.Filter{}, 10))
			require.Equal(t, "note.txt", r.OriginalFileName)
			r.OriginalFileName = "changed"
			return noEvil(ctx, r, content)
		}})

		for what, store := range map[string]func() (*filesapi.Record, error){
			"a file": func() (*filesapi.Record, error) {
				return f.store.Upload(t.Context(), strings.NewReader("good"), named("note.txt"))
			},
			"an empty file": func() (*filesapi.Record, error) {
				return f.store.Upload(t.Context(), strings.NewReader(""), named("note.txt"))
			},
			"parts": func() (*filesapi.Record, error) {
				o := part(token, 2, 2)
				o.OriginalFileName = "note.txt"
				f.send(t, "od", o)
				o.Part = 1
				return f.store.UploadPart(t.Context(), strings.NewReader("go"), o)
			},
		} {
			inspected = 0
			r, err := store()
			require.NoError(t, err, what)
			require.Equal(t, 1, inspected, what)
			require.Equal(t, "note.txt", r.OriginalFileName)
			require.Equal(t, "text/plain; charset=utf-8", r.MIMEType)

			data, _, err := storage.ReadAll(t.Context(), f.bucket, "files/client/"+r.ID+".txt")
			require.NoError(t, err)
			require.EqualValues(t, r.OriginalLength, len(data), what)

			for _, record := range listIDs(t, f.store, uploads.Filter{}, 10) {
				require.NoError(t, f.store.Delete(t.Context(), record))
			}
		}

		_, err := f.store.UploadTemp(t.Context(), strings.NewReader("good"), named("note.txt"))
		require.NoError(t, err)
		requireConsistent(t, f.bucket, f.records)
		require.Len(t, keysUnder(t, f.bucket, "files/parts/"), f.statesInBucket(), "but for what tells that the token was used")
	})
}

// Nothing is left of a refused file.
func TestInspectRefusesLeavesNothing(t *testing.T) {
	runOnEach(t, func(t *testing.T, o opener) {
		for what, store := range map[string]func(f *fixture) error{
			"a file": func(f *fixture) error {
				return failure(f.store.Upload(t.Context(), strings.NewReader("evil"), named("note.txt")))
			},
			"a temp file": func(f *fixture) error {
				return failure(f.store.UploadTemp(t.Context(), strings.NewReader("evil"), named("note.txt")))
			},
			"parts": func(f *fixture) error {
				f.send(t, "il", part(token, 2, 2))
				return failure(f.store.UploadPart(t.Context(), strings.NewReader("ev"), part(token, 2, 1)))
			},
			"parts of a temp file": func(f *fixture) error {
				require.NoError(t, failure(f.store.UploadTempPart(t.Context(), strings.NewReader("il"), part(token, 2, 2))))
				return failure(f.store.UploadTempPart(t.Context(), strings.NewReader("ev"), part(token, 2, 1)))
			},
		} {
			f := o.open(t, filesapi.StoreConfig{Inspect: noEvil})
			requireRefused(t, store(f), "file", uploads.Refused, storage.InvalidArgument)
			requireNothingLeft(t, f)
			f.send(t, "a", part(token, 2, 1))
			require.Equal(t, "ab", readContent(t, f.store, f.send(t, "b", part(token, 2, 2)).ID), "the token may be used again: %s", what)
		}
	})
}

// If Inspect fails, the parts stay, so that the client can complete the upload later.
func TestInspectFailsPartsStay(t *testing.T) {
	runOnEach(t, func(t *testing.T, o opener) {
		says := errors.New("the scanner is not there")
		f := o.open(t, filesapi.StoreConfig{Inspect: func(ctx context.Context, r *filesapi.Record, content *storage.ReaderAt) error {
			if says != nil {
				return says
			}
			return noEvil(ctx, r, content)
		}})
		f.send(t, "a", part(token, 2, 1))

		_, err := f.store.UploadPart(t.Context(), strings.NewReader("b"), part(token, 2, 2))
		require.Equal(t, uploads.StoreFailed, uploads.CodeOf(err))
		require.ErrorIs(t, err, says)
		require.Empty(t, keysUnder(t, f.bucket, "files/client/"))

		says = nil
		r := f.send(t, "b", part(token, 2, 2))
		require.Equal(t, "ab", readContent(t, f.store, r.ID))
		requireConsistent(t, f.bucket, f.records)

		says = errEvil
		_, err = f.store.Upload(t.Context(), strings.NewReader("b"), named("note.txt"))
		require.ErrorIs(t, err, errEvil)
	})
}

// The stored bytes are those that Inspect saw, even if a client sends parts again meanwhile.
func TestInspectPartArrivesMeanwhile(t *testing.T) {
	runOnEach(t, func(t *testing.T, o opener) {
		var f *fixture
		var once sync.Once
		f = o.open(t, filesapi.StoreConfig{Inspect: func(ctx context.Context, r *filesapi.Record, content *storage.ReaderAt) error {
			once.Do(func() { // a call that began before the set was complete
				for _, key := range keysUnder(t, f.bucket, "files/parts/") {
					if strings.HasSuffix(key, "/00001") {
						_, err := f.bucket.Upload(t.Context(), key, strings.NewReader("evil"))
						require.NoError(t, err)
					}
				}
			})
			return noEvil(ctx, r, content)
		}})
		f.send(t, "a", part(token, 2, 1))

		r := f.send(t, "b", part(token, 2, 2))
		require.Equal(t, "ab", readContent(t, f.store, r.ID))
		requireConsistent(t, f.bucket, f.records)
	})
}

// If several calls complete a file at the same time and Inspect refuses it, no file is left. At least one call
// reports the refusal.
func TestInspectRefusesCallsAtOnce(t *testing.T) {
	runOnEach(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{Inspect: noEvil})
		f.send(t, "evil", part(token, 5, 1))
		var group sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			group.Go(func() {
				errs[i] = failure(f.store.UploadPart(t.Context(), strings.NewReader("x"), part(token, 5, i+2)))
			})
		}
		group.Wait()
		refusals := 0
		for _, err := range errs {
			switch uploads.CodeOf(err) {
			case uploads.Refused:
				refusals++
			case "", uploads.NotFound: // the set was not complete, or another call was refused
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
	runOnEach(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{Inspect: noEvil})
		d := &death{after: "Get"} // the inspection
		dying := f.beside(t, driver.WithLayer(d.layer), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
		inspecting, err := filesapi.NewStore(dying.bucket, f.records, filesapi.StoreConfig{Now: f.clock.Now, Inspect: noEvil})
		require.NoError(t, err)

		_, err = inspecting.Upload(t.Context(), strings.NewReader("good"), named("note.txt"))
		require.Error(t, err)
		require.Len(t, keysUnder(t, f.bucket, "files/parts/"), 1)
		require.Empty(t, keysUnder(t, f.bucket, "files/client/"))

		f.clock.Advance(25 * time.Hour)
		f.sweep(t)
		require.Empty(t, keysUnder(t, f.bucket, "files/parts/"))
	})
}

// Inspect works on each kind of store, with records in the bucket or in a database.
func TestInspectInEachPlace(t *testing.T) {
	large := strings.Repeat("x", 5<<20) // MinIO joins it without streaming
	for _, place := range places() {
		for _, backend := range backends() {
			t.Run(place.name+", records in "+backend.name, func(t *testing.T) {
				b := place.open(t)
				s, err := filesapi.NewStore(b, backend.open(t, b), filesapi.StoreConfig{Inspect: noEvil})
				require.NoError(t, err)
				send := func(body string, number int) (*filesapi.Record, error) {
					return s.UploadPart(t.Context(), strings.NewReader(body), part(token, 2, number))
				}

				for _, row := range []struct{ last, says string }{{"evil", "refused"}, {"good", ""}} {
					_, err := send(large, 1)
					require.NoError(t, err)
					r, err := send(row.last, 2)
					require.EqualValues(t, row.says, uploads.CodeOf(err), "%v", err)
					if err != nil {
						require.Empty(t, keysUnder(t, b, ""))
						continue
					}
					require.Equal(t, large+row.last, readContent(t, s, r.ID))
					require.Equal(t, "text/plain; charset=utf-8", r.MIMEType)
				}

				_, err = s.Upload(t.Context(), strings.NewReader("evil"), named("note.txt"))
				require.Equal(t, uploads.Refused, uploads.CodeOf(err))
				require.Len(t, keysUnder(t, b, "files/client/"), 1)
			})
		}
	}
}

// A file that is refused over HTTP has its error in the response.
func TestInspectRefusesOverHTTP(t *testing.T) {
	a := newAPI(t, newMemoryFixture(t, filesapi.StoreConfig{Inspect: noEvil}), filesapi.HandlerConfig{})
	_, err := a.client.Upload(t.Context(), "note.txt", strings.NewReader("evil"), "")
	e := requireRefused(t, err, "file", uploads.Refused, storage.InvalidArgument)
	require.Equal(t, errEvil.Message, e.Message)
	_, err = a.client.Upload(t.Context(), "note.txt", strings.NewReader("good"), "")
	require.NoError(t, err)
}
