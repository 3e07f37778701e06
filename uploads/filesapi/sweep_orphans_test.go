package filesapi_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// newStockedFixture returns a store with n old files.
func newStockedFixture(t *testing.T, n int) *fixture {
	t.Helper()
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	for range n {
		f.upload(t, "x")
	}
	f.clock.Advance(longIdle)
	return f
}

// Sweep refuses to remove anything if the bucket and the records belong to different stores.
func TestSweepRefusesWrongBucket(t *testing.T) {
	tests := []struct {
		name       string
		ownFiles   int
		otherFiles int
	}{
		{name: "other store is empty", ownFiles: 11, otherFiles: 0},
		{name: "other store has one file", ownFiles: 50, otherFiles: 1},
		{name: "other store is larger", ownFiles: 11, otherFiles: 40},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			own := newStockedFixture(t, tt.ownFiles)
			other := newStockedFixture(t, tt.otherFiles)
			requireRefusesToSweep := func(bucket storage.Bucket, records uploads.Records) {
				s, err := filesapi.NewStore(bucket, records, filesapi.StoreConfig{})
				require.NoError(t, err)
				report, err := s.Sweep(t.Context())
				require.ErrorIs(t, err, storage.PreconditionFailed)
				require.Equal(t, &uploads.SweepReport{}, report)
			}

			// Sweep refuses the bucket of each store together with the records of the other store.
			requireRefusesToSweep(other.bucket, own.records)
			requireRefusesToSweep(own.bucket, other.records)

			// Both stores still have all their files.
			require.Len(t, listIDs(t, own.store, uploads.Filter{}, 100), tt.ownFiles)
			requireRecordsMatchObjects(t, own.bucket, own.records)
			require.Len(t, listIDs(t, other.store, uploads.Filter{}, 100), tt.otherFiles)
			requireRecordsMatchObjects(t, other.bucket, other.records)
		})
	}
}

// An orphan is a file without a record, or a record without a file. Sweep refuses to remove more than ten orphans if they
// are more than a tenth of all files, because the configuration may be wrong. WithoutOrphanLimit lifts this limit.
func TestSweepLimitOfOrphans(t *testing.T) {
	tests := []struct {
		name          string
		files         int // including those that lack something
		withoutRecord int // number of files
		withoutBytes  int // number of files of which only the record is left
		opts          []uploads.SweepOption
		wantRefusal   string // part of the error, or ""
	}{
		{name: "ten of ten files have no record", files: 10, withoutRecord: 10},
		{name: "ten of ten records have no bytes", files: 10, withoutBytes: 10},
		{name: "a tenth of the files", files: 110, withoutRecord: 11},
		{name: "more than a tenth of the files", files: 109, withoutRecord: 11, wantRefusal: "11 of 109"},
		{name: "a tenth of the records", files: 110, withoutBytes: 11},
		{name: "more than a tenth of the records", files: 109, withoutBytes: 11, wantRefusal: "11 of 109"},
		{
			name:          "all files, without a limit",
			files:         20,
			withoutRecord: 20,
			opts:          []uploads.SweepOption{uploads.WithoutOrphanLimit()},
		},
		{
			name:         "all records, without a limit",
			files:        20,
			withoutBytes: 20,
			opts:         []uploads.SweepOption{uploads.WithoutOrphanLimit()},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newStockedFixture(t, tt.files)
			ids := listIDs(t, f.store, uploads.Filter{}, 1000)

			// Remove some records, and the bytes of other files.
			idsOfRecords := ids[:tt.withoutRecord]
			idsOfBytes := ids[tt.withoutRecord:][:tt.withoutBytes]
			for _, id := range idsOfRecords {
				require.NoError(t, f.records.Remove(t.Context(), &uploads.File{ID: id}))
			}
			for _, id := range idsOfBytes {
				require.NoError(t, f.bucket.Remove(t.Context(), "files/client/"+id+".txt"))
			}

			report, err := f.store.Sweep(t.Context(), tt.opts...)
			if tt.wantRefusal != "" {
				requireRefused(t, err, "", uploads.StoreFailed, storage.PreconditionFailed)
				require.ErrorContains(t, err, tt.wantRefusal)
				require.Equal(t, &uploads.SweepReport{}, report)
				return
			}
			require.NoError(t, err)
			require.Equal(t, &uploads.SweepReport{Bytes: tt.withoutRecord, Records: tt.withoutBytes}, report)
			requireRecordsMatchObjects(t, f.bucket, f.records)
		})
	}
}
