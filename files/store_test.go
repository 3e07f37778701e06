package files_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/files"
	"github.com/omnibucket/storage/files/recordstest"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/uploads"
)

func TestStore(t *testing.T) {
	for _, p := range places() {
		for _, backend := range backends() {
			t.Run(p.name+" with records in "+backend.name, func(t *testing.T) {
				recordstest.RunStore(t, func(t *testing.T) *files.Store {
					b := p.open(t)
					s, err := files.New(b, backend.open(t, b), files.Config{})
					require.NoError(t, err)
					return s
				})
			})
		}
	}
}

func TestNewRefuses(t *testing.T) {
	b := memstore.New()
	without := func(f storage.Features) storage.Bucket {
		return memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{Disable: f})))
	}
	noCreate, noSwap := without(storage.ConditionalCreate), without(storage.ConditionalUpdate)
	for name, c := range map[string]struct {
		bucket  storage.Bucket
		records files.Records
		config  files.Config
		code    storage.Code
	}{
		"no bucket":                              {nil, files.BucketRecords(b), files.Config{}, storage.InvalidArgument},
		"no records":                             {b, nil, files.Config{}, storage.InvalidArgument},
		"a negative size":                        {b, files.BucketRecords(b), files.Config{MaxSize: -1}, storage.InvalidArgument},
		"a negative grace":                       {b, files.BucketRecords(b), files.Config{Grace: -1}, storage.InvalidArgument},
		"a negative TTL":                         {b, files.BucketRecords(b), files.Config{PartsTTL: -1}, storage.InvalidArgument},
		"a bucket that cannot refuse to replace": {noCreate, files.BucketRecords(noCreate), files.Config{}, storage.Unsupported},
		"a bucket that cannot compare and swap":  {noSwap, files.BucketRecords(noSwap), files.Config{}, storage.Unsupported},
	} {
		s, err := files.New(c.bucket, c.records, c.config)
		require.ErrorIs(t, err, c.code, name)
		require.Nil(t, s, name)
	}
}

// A bucket without conditions can store whole files if the records are in a database.
func TestRecordsInADatabaseNeedNoConditionsOfTheBucket(t *testing.T) {
	b := memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{Disable: storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove})))
	// The records have a type of their own, as those of a database have.
	records := struct{ files.Records }{files.BucketRecords(memstore.New())}
	s, err := files.New(b, records, files.Config{})
	require.NoError(t, err)
	r, err := s.Upload(t.Context(), strings.NewReader("text"), named("a.txt"))
	require.NoError(t, err)
	require.Equal(t, "text", content(t, s, r.ID))
	temp, err := s.UploadTemp(t.Context(), strings.NewReader("temp"), named("a.txt"))
	require.NoError(t, err)
	reader, _, err := s.DownloadTemp(t.Context(), temp.ID)
	require.NoError(t, err)
	require.NoError(t, reader.Close())
	for _, upload := range []func() (*files.Record, error){
		func() (*files.Record, error) {
			return s.UploadPart(t.Context(), strings.NewReader("a"), part(token, 2, 1))
		},
		func() (*files.Record, error) {
			return s.UploadTempPart(t.Context(), strings.NewReader("a"), part(token, 2, 1))
		},
	} {
		_, err = upload()
		refused(t, err, "", uploads.StoreFailed, storage.Unsupported)
	}
	_, err = s.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, "text", content(t, s, r.ID))
	require.NoError(t, s.Delete(t.Context(), r.ID))
}

func TestUploadOfABodyThatFails(t *testing.T) {
	f := inMemory(t, files.Config{})
	cause := errors.New("the sender went away")
	_, err := f.store.Upload(t.Context(), io.MultiReader(strings.NewReader("begun"), errReader{cause}), named("a.txt"))
	refused(t, err, "file", uploads.Interrupted, storage.BodyFailed)
	require.ErrorIs(t, err, cause)
	require.Empty(t, under(t, f.bucket, "files/"))
}

func TestUploadWhoseRecordIsRefused(t *testing.T) {
	f := inMemory(t, files.Config{})
	for name, c := range map[string]struct {
		lost bool
		left int
	}{
		"for certain: its bytes are removed":         {false, 0},
		"perhaps not: its record is there, or Sweep": {true, 1},
	} {
		s, err := files.New(f.bucket, &blindRecords{&failingRecords{Records: f.records, n: 1, lost: c.lost}}, files.Config{})
		require.NoError(t, err)
		_, err = s.Upload(t.Context(), strings.NewReader("x"), named("a.txt"))
		refused(t, err, "", uploads.StoreFailed, storage.Unavailable)
		require.Equal(t, c.lost, errors.Is(err, storage.OutcomeUnknown), name)
		require.Len(t, under(t, f.bucket, "files/client/"), c.left, name)
		whole(t, f.bucket, f.records)
		for _, id := range listed(t, f.store, files.ListFilter{}, 10) {
			require.NoError(t, f.store.Delete(t.Context(), id))
		}
	}
}

// An attempt whose response was lost has created the record. The repeated attempt
// fails because the ID exists.
func TestUploadWhoseRecordWasCreatedByALostAttempt(t *testing.T) {
	t.Run("the record can be read", func(t *testing.T) {
		f := inMemory(t, files.Config{})
		s, err := files.New(f.bucket, repeatedRecords{f.records}, files.Config{Now: f.clock.Now})
		require.NoError(t, err)
		r, err := s.Upload(t.Context(), strings.NewReader("x"), named("a.txt"))
		require.NoError(t, err)
		require.Equal(t, "x", content(t, f.store, r.ID))
		whole(t, f.bucket, f.records)
	})
	t.Run("it cannot: the bytes are left", func(t *testing.T) {
		f := inMemory(t, files.Config{})
		s, err := files.New(f.bucket, repeatedRecords{&blindRecords{f.records}}, files.Config{})
		require.NoError(t, err)
		_, err = s.Upload(t.Context(), strings.NewReader("x"), named("a.txt"))
		refused(t, err, "", uploads.StoreFailed, storage.OutcomeUnknown)
		require.Len(t, listed(t, f.store, files.ListFilter{}, 10), 1)
		whole(t, f.bucket, f.records)
	})
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestUploadEnforcesMaxSize(t *testing.T) {
	f := inMemory(t, files.Config{MaxSize: 10})
	for name, body := range map[string]func(text string) io.Reader{
		"in place":         func(text string) io.Reader { return strings.NewReader(text) },
		"a stream":         func(text string) io.Reader { return io.MultiReader(strings.NewReader(text)) },
		"a byte at a time": func(text string) io.Reader { return bytewise(text) },
	} {
		r, err := f.store.Upload(t.Context(), body("0123456789"), named("a.txt"))
		require.NoError(t, err, name)
		require.Equal(t, "0123456789", content(t, f.store, r.ID))
		require.NoError(t, f.store.Delete(t.Context(), r.ID))
		_, err = f.store.Upload(t.Context(), body("0123456789x"), named("a.txt"))
		refused(t, err, "file", uploads.TooLarge, storage.TooLarge)
		require.Empty(t, under(t, f.bucket, "files/"), name)
	}
}

// bytewise returns a reader of single bytes.
func bytewise(text string) io.Reader { return &single{text} }

type single struct{ left string }

func (s *single) Read(p []byte) (int, error) {
	if s.left == "" {
		return 0, io.EOF
	}
	n := copy(p[:1], s.left)
	s.left = s.left[n:]
	return n, nil
}

func TestIDsAreInTheOrderOfTime(t *testing.T) {
	f := inMemory(t, files.Config{})
	var want []string
	for range 20 {
		want = append(want, f.upload(t, "x").ID)
		f.clock.Advance(time.Millisecond)
	}
	require.Equal(t, want, listed(t, f.store, files.ListFilter{}, 7))
	from := f.clock.Now().Add(-10 * time.Millisecond)
	require.Equal(t, want[10:], listed(t, f.store, files.ListFilter{From: from}, 7))
	require.Equal(t, want[:10], listed(t, f.store, files.ListFilter{To: from}, 7))
}

func TestStoreInAPrefixedBucket(t *testing.T) {
	b := memstore.New()
	for _, place := range []string{"a/", "b/"} {
		view := storage.Prefixed(b, place)
		s, err := files.New(view, files.BucketRecords(view), files.Config{})
		require.NoError(t, err)
		r, err := s.Upload(t.Context(), strings.NewReader("x"), named("a.txt"))
		require.NoError(t, err)
		require.Equal(t, []string{r.ID}, listed(t, s, files.ListFilter{}, 10))
		require.Len(t, under(t, b, place), 2)
	}
}
