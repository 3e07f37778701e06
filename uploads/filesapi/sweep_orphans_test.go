package filesapi_test

import (
	"testing"
	"time"

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
	f.clock.Advance(25 * time.Hour)
	return f
}

// Sweep refuses to run if the bucket and the records belong to different stores, so that most files would be
// removed as orphans.
func TestSweepRefusesWrongBucket(t *testing.T) {
	tests := []struct {
		name        string
		ours, other int // files
	}{
		{"of an empty store", 11, 0},
		{"of a store of one file", 50, 1},
		{"of a larger store", 11, 40},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			site := newStockedFixture(t, tt.ours)
			other := newStockedFixture(t, tt.other)
			for name, mixed := range map[string][2]*fixture{"the bucket": {other, site}, "the records": {site, other}} {
				s, err := filesapi.NewStore(mixed[0].bucket, mixed[1].records, filesapi.StoreConfig{})
				require.NoError(t, err)
				report, err := s.Sweep(t.Context())
				require.ErrorIs(t, err, storage.PreconditionFailed, name)
				require.Equal(t, &uploads.SweepReport{}, report, name)
			}
			for f, n := range map[*fixture]int{site: tt.ours, other: tt.other} {
				require.Len(t, listIDs(t, f.store, uploads.Filter{}, 100), n)
				requireConsistent(t, f.bucket, f.records)
			}
		})
	}
}

// Sweep refuses to remove more than ten orphans if they are more than a tenth of all files, unless
// WithoutOrphanLimit is given.
func TestSweepLimitOfOrphans(t *testing.T) {
	tests := []struct {
		name           string
		all            int // files
		bytes, records int // without the other
		opts           []uploads.SweepOption
		refused        bool
	}{
		{name: "ten of ten files have no record", all: 10, bytes: 10},
		{name: "ten of ten records have no bytes", all: 10, records: 10},
		{name: "a tenth of the files", all: 110, bytes: 11},
		{name: "more than a tenth of the files", all: 109, bytes: 11, refused: true},
		{name: "a tenth of the records", all: 110, records: 11},
		{name: "more than a tenth of the records", all: 109, records: 11, refused: true},
		{name: "all of the files, and it was said", all: 20, bytes: 20, opts: []uploads.SweepOption{uploads.WithoutOrphanLimit()}},
		{name: "all of the records, and it was said", all: 20, records: 20, opts: []uploads.SweepOption{uploads.WithoutOrphanLimit()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newStockedFixture(t, tt.all)
			ids := listIDs(t, f.store, uploads.Filter{}, 1000)
			for _, id := range ids[:tt.bytes] {
				require.NoError(t, f.records.Remove(t.Context(), &uploads.File{ID: id}))
			}
			for _, id := range ids[tt.bytes : tt.bytes+tt.records] {
				require.NoError(t, f.bucket.Remove(t.Context(), "files/client/"+id+".txt"))
			}
			report, err := f.store.Sweep(t.Context(), tt.opts...)
			if tt.refused {
				requireRefused(t, err, "", uploads.StoreFailed, storage.PreconditionFailed)
				require.ErrorContains(t, err, "11 of 109")
				require.Equal(t, &uploads.SweepReport{}, report)
				return
			}
			require.NoError(t, err)

			require.Equal(t, &uploads.SweepReport{Bytes: tt.bytes, Records: tt.records}, report)
			requireConsistent(t, f.bucket, f.records)
		})
	}
}
