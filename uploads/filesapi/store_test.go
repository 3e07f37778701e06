package filesapi_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
	"github.com/omnibucket/storage/uploads/uploadstest"
)

func TestStore(t *testing.T) {
	for _, p := range places() {
		for _, backend := range backends() {
			t.Run(p.name+" with records in "+backend.name, func(t *testing.T) {
				uploadstest.RunService(t, func(t *testing.T) (storage.Bucket, uploads.Records) {
					b := p.open(t)
					return b, backend.open(t, b)
				})
			})
		}
	}
}

func TestNewRefuses(t *testing.T) {
	b := memstore.New()
	newBucket := func(f storage.Features) storage.Bucket {
		return memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{Disable: f})))
	}
	noCreate := newBucket(storage.ConditionalCreate)
	noSwap := newBucket(storage.ConditionalUpdate)

	tests := map[string]struct {
		bucket  storage.Bucket
		records uploads.Records
		config  filesapi.StoreConfig
		code    storage.Code
	}{
		"no bucket":  {bucket: nil, records: uploads.BucketRecords(b), code: storage.InvalidArgument},
		"no records": {bucket: b, code: storage.InvalidArgument},
		"a negative size": {
			bucket:  b,
			records: uploads.BucketRecords(b),
			config:  filesapi.StoreConfig{MaxSize: -1},
			code:    storage.InvalidArgument,
		},
		"a negative grace": {
			bucket:  b,
			records: uploads.BucketRecords(b),
			config:  filesapi.StoreConfig{Grace: -1},
			code:    storage.InvalidArgument,
		},
		"a negative TTL": {
			bucket:  b,
			records: uploads.BucketRecords(b),
			config:  filesapi.StoreConfig{PartsTTL: -1},
			code:    storage.InvalidArgument,
		},
		"a bucket that cannot refuse to replace": {bucket: noCreate, records: uploads.BucketRecords(noCreate), code: storage.Unsupported},
		"a bucket that cannot compare and swap":  {bucket: noSwap, records: uploads.BucketRecords(noSwap), code: storage.Unsupported},
	}
	for name, tt := range tests {
		s, err := filesapi.NewStore(tt.bucket, tt.records, tt.config)
		require.ErrorIs(t, err, tt.code, name)
		require.Nil(t, s, name)
	}
}

// A bucket without conditions can store whole files if the records are in a database.
func TestRecordsInDatabaseNeedNoConditions(t *testing.T) {
	b := memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{Disable: storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove})))
	// The records have a type of their own, as those of a database have.
	records := struct{ uploads.Records }{uploads.BucketRecords(memstore.New())}
	s, err := filesapi.NewStore(b, records, filesapi.StoreConfig{})
	require.NoError(t, err)
	r, err := s.Upload(t.Context(), strings.NewReader("text"), named("a.txt"))
	require.NoError(t, err)

	require.Equal(t, "text", readContent(t, s, r.ID))
	temp, err := s.UploadTemp(t.Context(), strings.NewReader("temp"), named("a.txt"))
	require.NoError(t, err)
	reader, _, err := s.DownloadTemp(t.Context(), temp.ID)
	require.NoError(t, err)
	require.NoError(t, reader.Close())
	for _, upload := range []func() (*filesapi.Record, error){
		func() (*filesapi.Record, error) {
			return s.UploadPart(t.Context(), strings.NewReader("a"), part(token, 2, 1))
		},
		func() (*filesapi.Record, error) {
			return s.UploadTempPart(t.Context(), strings.NewReader("a"), part(token, 2, 1))
		},
	} {
		_, err = upload()
		requireRefused(t, err, "", uploads.StoreFailed, storage.Unsupported)
	}

	_, err = s.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, "text", readContent(t, s, r.ID))
	require.NoError(t, s.Delete(t.Context(), r.ID))
}

// An upload whose body fails stores nothing.
func TestUploadBodyFails(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	cause := errors.New("the sender went away")
	_, err := f.store.Upload(t.Context(), io.MultiReader(strings.NewReader("begun"), errReader{cause}), named("a.txt"))
	requireRefused(t, err, "file", uploads.Interrupted, storage.BodyFailed)
	require.ErrorIs(t, err, cause)
	require.Empty(t, keysUnder(t, f.bucket, "files/"))
}

// If the record's creation fails for certain, Upload removes the bytes. If the outcome is unknown, the bytes stay,
// because the record may exist.
func TestUploadRecordRefused(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	tests := map[string]struct {
		lost bool
		left int
	}{
		"for certain: its bytes are removed":         {false, 0},
		"perhaps not: its record is there, or Sweep": {true, 1},
	}
	for name, tt := range tests {
		s, err := filesapi.NewStore(f.bucket, &blindRecords{&failingRecords{Records: f.records, n: 1, lost: tt.lost}}, filesapi.StoreConfig{})
		require.NoError(t, err)

		_, err = s.Upload(t.Context(), strings.NewReader("x"), named("a.txt"))
		requireRefused(t, err, "", uploads.StoreFailed, storage.Unavailable)
		require.Equal(t, tt.lost, errors.Is(err, storage.OutcomeUnknown), name)
		require.Len(t, keysUnder(t, f.bucket, "files/client/"), tt.left, name)

		requireConsistent(t, f.bucket, f.records)
		for _, id := range listIDs(t, f.store, uploads.Filter{}, 10) {
			require.NoError(t, f.store.Delete(t.Context(), id))
		}
	}
}

// If Create succeeds but its response is lost, the repeated Create finds the ID taken. Upload then reads the
// record to find out whether it succeeded.
func TestUploadRecordCreatedByLostAttempt(t *testing.T) {
	t.Run("the record can be read", func(t *testing.T) {
		f := newMemoryFixture(t, filesapi.StoreConfig{})
		s, err := filesapi.NewStore(f.bucket, repeatedRecords{f.records}, filesapi.StoreConfig{Now: f.clock.Now})
		require.NoError(t, err)
		r, err := s.Upload(t.Context(), strings.NewReader("x"), named("a.txt"))
		require.NoError(t, err)
		require.Equal(t, "x", readContent(t, f.store, r.ID))
		requireConsistent(t, f.bucket, f.records)
	})
	t.Run("it cannot: the bytes are left", func(t *testing.T) {
		f := newMemoryFixture(t, filesapi.StoreConfig{})
		s, err := filesapi.NewStore(f.bucket, repeatedRecords{&blindRecords{f.records}}, filesapi.StoreConfig{})
		require.NoError(t, err)
		_, err = s.Upload(t.Context(), strings.NewReader("x"), named("a.txt"))
		requireRefused(t, err, "", uploads.StoreFailed, storage.OutcomeUnknown)
		require.Len(t, listIDs(t, f.store, uploads.Filter{}, 10), 1)
		requireConsistent(t, f.bucket, f.records)
	})
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestUploadEnforcesMaxSize(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{MaxSize: 10})
	for name, body := range map[string]func(text string) io.Reader{
		"in place":         func(text string) io.Reader { return strings.NewReader(text) },
		"a stream":         func(text string) io.Reader { return io.MultiReader(strings.NewReader(text)) },
		"a byte at a time": func(text string) io.Reader { return bytewise(text) },
	} {
		r, err := f.store.Upload(t.Context(), body("0123456789"), named("a.txt"))
		require.NoError(t, err, name)
		require.Equal(t, "0123456789", readContent(t, f.store, r.ID))
		require.NoError(t, f.store.Delete(t.Context(), r.ID))
		_, err = f.store.Upload(t.Context(), body("0123456789x"), named("a.txt"))
		requireRefused(t, err, "file", uploads.TooLarge, storage.TooLarge)
		require.Empty(t, keysUnder(t, f.bucket, "files/"), name)
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

// The IDs of records sort by time of creation.
func TestIDsAreOrderedByTime(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	var want []string
	for range 20 {
		want = append(want, f.upload(t, "x").ID)
		f.clock.Advance(time.Millisecond)
	}
	require.Equal(t, want, listIDs(t, f.store, uploads.Filter{}, 7))
	start := f.clock.Now().Add(-10 * time.Millisecond)
	require.Equal(t, want[10:], listIDs(t, f.store, uploads.Filter{From: start}, 7))
	require.Equal(t, want[:10], listIDs(t, f.store, uploads.Filter{To: start}, 7))
}

func TestStoreInAPrefixedBucket(t *testing.T) {
	b := memstore.New()
	for _, place := range []string{"a/", "b/"} {
		view := storage.Prefixed(b, place)
		s, err := filesapi.NewStore(view, uploads.BucketRecords(view), filesapi.StoreConfig{})
		require.NoError(t, err)
		r, err := s.Upload(t.Context(), strings.NewReader("x"), named("a.txt"))
		require.NoError(t, err)
		require.Equal(t, []string{r.ID}, listIDs(t, s, uploads.Filter{}, 10))
		require.Len(t, keysUnder(t, b, place), 2)
	}
}
