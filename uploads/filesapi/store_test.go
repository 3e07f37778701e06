package filesapi_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
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

// The suite of package uploadstest passes on each kind of bucket and of records.
func TestStore(t *testing.T) {
	for _, place := range places() {
		for _, backend := range backends() {
			t.Run(place.name+" with records in "+backend.name, func(t *testing.T) {
				uploadstest.RunService(t, func(t *testing.T) (storage.Bucket, uploads.Records) {
					bucket := place.open(t)
					return bucket, backend.open(t, bucket)
				})
			})
		}
	}
}

// NewStore refuses a missing bucket, missing records, negative limits, and a bucket that lacks
// conditional writes.
func TestNewRefuses(t *testing.T) {
	b := memstore.New()

	// newBucketWithout returns a bucket that lacks these features.
	newBucketWithout := func(missing storage.Features) storage.Bucket {
		return memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{Disable: missing})))
	}
	noCreate := newBucketWithout(storage.ConditionalCreate)
	noUpdate := newBucketWithout(storage.ConditionalUpdate)

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
		"a bucket without conditional creation": {
			bucket:  noCreate,
			records: uploads.BucketRecords(noCreate),
			code:    storage.Unsupported,
		},
		"a bucket without conditional update": {
			bucket:  noUpdate,
			records: uploads.BucketRecords(noUpdate),
			code:    storage.Unsupported,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := filesapi.NewStore(tt.bucket, tt.records, tt.config)
			require.ErrorIs(t, err, tt.code)
			require.Nil(t, s)
		})
	}
}

// If the records are in a database, a bucket without conditional writes can store whole files. It
// cannot store files in parts.
func TestRecordsInDatabaseNeedNoConditions(t *testing.T) {
	limits := faults.Limits{
		Disable: storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove,
	}
	bucket := memstore.New(driver.WithLayer(faults.WithLimits(limits)))
	// The records have a type of their own, as those of a database have.
	records := struct{ uploads.Records }{uploads.BucketRecords(memstore.New())}
	s, err := filesapi.NewStore(bucket, records, filesapi.StoreConfig{})
	require.NoError(t, err)

	// Whole files can be stored.
	record, err := s.Upload(t.Context(), strings.NewReader("text"), fileOptions("a.txt"))
	require.NoError(t, err)
	require.Equal(t, "text", readContent(t, s, record.ID))
	temp, err := s.UploadTemp(t.Context(), strings.NewReader("temp"), fileOptions("a.txt"))
	require.NoError(t, err)
	reader, _, err := s.DownloadTemp(t.Context(), temp.ID)
	require.NoError(t, err)
	require.NoError(t, reader.Close())

	// Without conditional writes, files cannot be sent in parts.
	_, err = s.UploadPart(t.Context(), strings.NewReader("a"), part(1).of(2))
	requireRefused(t, err, "", uploads.StoreFailed, storage.Unsupported)
	_, err = s.UploadTempPart(t.Context(), strings.NewReader("a"), part(1).of(2))
	requireRefused(t, err, "", uploads.StoreFailed, storage.Unsupported)

	// Sweep works, and keeps the whole file.
	_, err = s.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, "text", readContent(t, s, record.ID))
	require.NoError(t, s.Delete(t.Context(), record.ID))
}

// Upload stores nothing if its body fails.
func TestUploadBodyFails(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	cause := errors.New("the sender went away")
	body := io.MultiReader(strings.NewReader("begun"), errReader{cause})
	_, err := f.store.Upload(t.Context(), body, fileOptions("a.txt"))
	requireRefused(t, err, "file", uploads.Interrupted, storage.BodyFailed)
	require.ErrorIs(t, err, cause)
	require.Empty(t, keysUnder(t, f.bucket, "files/"))
}

// If the record cannot be created, Upload removes the bytes of the file. If the record may exist
// nevertheless, Upload keeps them.
func TestUploadRecordRefused(t *testing.T) {
	tests := []struct {
		name     string
		lost     bool // whether the record is created, and the response is lost
		wantKeys int  // number of objects that are left
	}{
		{name: "record not created", lost: false, wantKeys: 0},
		{name: "record perhaps created", lost: true, wantKeys: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newMemoryFixture(t, filesapi.StoreConfig{})

			// The first creation of a record fails, and the store cannot read whether the record exists.
			const firstCall = 1
			records := &blindRecords{&failingRecords{Records: f.records, n: firstCall, lost: tt.lost}}
			s, err := filesapi.NewStore(f.bucket, records, filesapi.StoreConfig{})
			require.NoError(t, err)

			// The error says whether the outcome is unknown. The bytes stay only if it is.
			_, err = s.Upload(t.Context(), strings.NewReader("x"), fileOptions("a.txt"))
			requireRefused(t, err, "", uploads.StoreFailed, storage.Unavailable)
			require.Equal(t, tt.lost, errors.Is(err, storage.OutcomeUnknown))
			require.Len(t, keysUnder(t, f.bucket, "files/client/"), tt.wantKeys)
			requireRecordsMatchObjects(t, f.bucket, f.records)
		})
	}
}

// A driver may lose the response to the creation of a record, and repeat the call, which then fails because the record
// exists. Upload reads the record to find out whether it has succeeded.
func TestUploadRecordCreatedByLostAttempt(t *testing.T) {
	t.Run("the record can be read", func(t *testing.T) {
		f := newMemoryFixture(t, filesapi.StoreConfig{})
		// The driver calls Create twice, and returns the error of the second call.
		s, err := filesapi.NewStore(f.bucket, repeatedRecords{f.records}, filesapi.StoreConfig{Now: f.clock.Now})
		require.NoError(t, err)

		record, err := s.Upload(t.Context(), strings.NewReader("x"), fileOptions("a.txt"))
		require.NoError(t, err)
		require.Equal(t, "x", readContent(t, f.store, record.ID))
		requireRecordsMatchObjects(t, f.bucket, f.records)
	})

	t.Run("the record cannot be read, so the bytes stay", func(t *testing.T) {
		f := newMemoryFixture(t, filesapi.StoreConfig{})
		// Each read of a record also fails.
		s, err := filesapi.NewStore(f.bucket, repeatedRecords{&blindRecords{f.records}}, filesapi.StoreConfig{})
		require.NoError(t, err)

		_, err = s.Upload(t.Context(), strings.NewReader("x"), fileOptions("a.txt"))
		requireRefused(t, err, "", uploads.StoreFailed, storage.OutcomeUnknown)
		require.Len(t, listIDs(t, f.store, uploads.Filter{}, 10), 1)
		requireRecordsMatchObjects(t, f.bucket, f.records)
	})
}

// An errReader fails with err.
type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// Upload accepts a file of exactly MaxSize bytes, and refuses a file that has one byte more. The
// kind of reader does not matter.
func TestUploadEnforcesMaxSize(t *testing.T) {
	const largest = "0123456789"
	tests := []struct {
		name string
		body func(text string) io.Reader
	}{
		{
			name: "a body of known length",
			body: func(text string) io.Reader { return strings.NewReader(text) },
		},
		{
			name: "a stream",
			body: func(text string) io.Reader { return io.MultiReader(strings.NewReader(text)) },
		},
		{
			name: "a stream of single bytes",
			body: readBytewise,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newMemoryFixture(t, filesapi.StoreConfig{MaxSize: int64(len(largest))})

			// The largest file is stored.
			record, err := f.store.Upload(t.Context(), tt.body(largest), fileOptions("a.txt"))
			require.NoError(t, err)
			require.Equal(t, largest, readContent(t, f.store, record.ID))
			require.NoError(t, f.store.Delete(t.Context(), record.ID))

			// One byte more is too much, and nothing of the file is left.
			_, err = f.store.Upload(t.Context(), tt.body(largest+"x"), fileOptions("a.txt"))
			requireRefused(t, err, "file", uploads.TooLarge, storage.TooLarge)
			require.Empty(t, keysUnder(t, f.bucket, "files/"))
		})
	}
}

// readBytewise returns a reader of single bytes.
func readBytewise(text string) io.Reader { return iotest.OneByteReader(strings.NewReader(text)) }

// A list has the files in the order of their creation, and can be limited to a time.
func TestIDsAreOrderedByTime(t *testing.T) {
	const (
		files    = 20
		half     = files / 2
		interval = time.Millisecond
		pageSize = 7
	)
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	start := f.clock.Now()
	var ids []string
	for range files {
		ids = append(ids, f.upload(t, "x").ID)
		f.clock.Advance(interval)
	}
	require.Equal(t, ids, listIDs(t, f.store, uploads.Filter{}, pageSize))

	middle := start.Add(half * interval)
	require.Equal(t, ids[half:], listIDs(t, f.store, uploads.Filter{From: middle}, pageSize))
	require.Equal(t, ids[:half], listIDs(t, f.store, uploads.Filter{To: middle}, pageSize))
}

// Stores under different prefixes of one bucket do not see each other's files.
func TestStoreInAPrefixedBucket(t *testing.T) {
	bucket := memstore.New()
	for _, prefix := range []string{"a/", "b/"} {
		prefixed := storage.Prefixed(bucket, prefix)
		s, err := filesapi.NewStore(prefixed, uploads.BucketRecords(prefixed), filesapi.StoreConfig{})
		require.NoError(t, err)
		record, err := s.Upload(t.Context(), strings.NewReader("x"), fileOptions("a.txt"))
		require.NoError(t, err)
		require.Equal(t, []string{record.ID}, listIDs(t, s, uploads.Filter{}, 10))
		require.Len(t, keysUnder(t, bucket, prefix), 2)
	}
}
