package memstore_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
)

func TestDescribe(t *testing.T) {
	d := memstore.NewDriver(memstore.Config{}).Describe()
	require.Equal(t, "memory", d.Provider)
	require.Equal(t, "memory", d.Bucket)
	require.False(t, d.Versioned)
	require.Equal(t, int64(1), d.MinPartSize)
	require.Equal(t, 10_000, d.MaxParts)
	require.Equal(t, 1_000, d.MaxBatch)
	require.Equal(t, 256, d.MaxPage)
	require.Zero(t, d.Features&driver.EqualParts)
	require.True(t, d.NeedsSigningBase)

	named := memstore.NewDriver(memstore.Config{Bucket: "photos", Versioned: true}).Describe()
	require.Equal(t, "photos", named.Bucket)
	require.True(t, named.Versioned)
}

// New buckets share nothing.
func TestNewBucketsShareNothing(t *testing.T) {
	a := fresh()
	b := fresh()
	put(t, a, "k", "")
	require.Empty(t, keys(t, b))
	require.NoError(t, a.Close())
}

// No two stores have one location. Journals and caches on the disk know a store by its location. The memory of one
// that is gone may be used again, in this process and the next one.
func TestDescribeLocationIsUnique(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		location := memstore.NewDriver(memstore.Config{}).Describe().Location
		require.False(t, seen[location], location)
		seen[location] = true
		runtime.GC()
	}
}
