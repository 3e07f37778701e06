package filesapi_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// stocked returns a store with n old files.
func stocked(t *testing.T, n int) *fixture {
	t.Helper()
	f := inMemory(t, filesapi.StoreConfig{})
	for range n {
		f.upload(t, "x")
	}
	f.clock.Advance(25 * time.Hour)
	return f
}

// Sweep refuses to run if the bucket and the records belong to different stores, so that most files would be
// removed as orphans.
func TestSweepRefusesWrongBucket(t *testing.T) {
	for _, row := range []struct {
		name        string
		ours, other int // files
	}{
		{"of an empty store", 11, 0},
		{"of a store of one file", 50, 1},
		{"of a larger store", 11, 40},
	} {
		t.Run(row.name, func(t *testing.T) {
			ours := stocked(t, row.ours)
			other := stocked(t, row.other)
			for name, mixed := range map[string][2]*fixture{"the bucket": {other, ours}, "the records": {ours, other}} {
				s, err := filesapi.NewStore(mixed[0].bucket, mixed[1].records, filesapi.StoreConfig{})
				require.NoError(t, err)
				report, err := s.Sweep(t.Context())
				require.ErrorIs(t, err, storage.PreconditionFailed, name)
				require.Equal(t, &uploads.SweepReport{}, report, name)
			}
			for f, n := range map[*fixture]int{ours: row.ours, other: row.other} {
				require.Len(t, listed(t, f.store, uploads.Filter{}, 100), n)
				whole(t, f.bucket, f.records)
			}
		})
	}
}

// Sweep refuses to remove more than ten orphans if they are more than a tenth of all files, unless
// WithoutOrphanLimit is given.
func TestSweepLimitOfOrphans(t *testing.T) {
	for _, row := range []struct {
		name           string
		all            int // files
		bytes, records int // without the other
		opts           []uploads.SweepOption
		refused        bool
	}{
		{"ten of ten files have no record", 10, 10, 0, nil, false},
		{"ten of ten records have no bytes", 10, 0, 10, nil, false},
		{"a tenth of the files", 110, 11, 0, nil, false},
		{"more than a tenth of the files", 109, 11, 0, nil, true},
		{"a tenth of the records", 110, 0, 11, nil, false},
		{"more than a tenth of the records", 109, 0, 11, nil, true},
		{"all of the files, and it was said", 20, 20, 0, []uploads.SweepOption{uploads.WithoutOrphanLimit()}, false},
		{"all of the records, and it was said", 20, 0, 20, []uploads.SweepOption{uploads.WithoutOrphanLimit()}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := stocked(t, row.all)
			ids := listed(t, f.store, uploads.Filter{}, 1000)
			for _, id := range ids[:row.bytes] {
				require.NoError(t, f.records.Remove(t.Context(), &uploads.File{ID: id}))
			}
			for _, id := range ids[row.bytes : row.bytes+row.records] {
				require.NoError(t, f.bucket.Remove(t.Context(), "files/client/"+id+".txt"))
			}
			report, err := f.store.Sweep(t.Context(), row.opts...)
			if row.refused {
				refused(t, err, "", uploads.StoreFailed, storage.PreconditionFailed)
				require.ErrorContains(t, err, "11 of 109")
				require.Equal(t, &uploads.SweepReport{}, report)
				return
			}
			require.NoError(t, err)
			require.Equal(t, &uploads.SweepReport{Bytes: row.bytes, Records: row.records}, report)
			whole(t, f.bucket, f.records)
		})
	}
}
