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

// Two buckets of New share no objects.
func TestNewBucketsShareNothing(t *testing.T) {
	a := fresh()
	b := fresh()
	put(t, a, "k", "")
	require.Empty(t, keys(t, b))
	require.NoError(t, a.Close())
}

// No two stores have the same location, because files of WithResume and caches know a store by it. The address in
// memory may be used again.
func TestDescribeLocationIsUnique(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		location := memstore.NewDriver(memstore.Config{}).Describe().Location
		require.False(t, seen[location], location)
		seen[location] = true
		runtime.GC()
	}
}
