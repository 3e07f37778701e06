package memstore_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
)

// Describe returns the limits of the driver, and the name of Config.Bucket or "memory".
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

	description := memstore.NewDriver(memstore.Config{Bucket: "photos", Versioned: true}).Describe()
	require.Equal(t, "photos", description.Bucket)
	require.True(t, description.Versioned)
}

// Two new drivers share no objects.
func TestNewBucketsShareNothing(t *testing.T) {
	a := newDriver()
	b := newDriver()
	put(t, a, "k", "")
	require.Empty(t, listKeys(t, b))
	require.NoError(t, a.Close())
}

// No two stores have the same location, even if the second one takes the memory of the first one, because resume
// files and caches identify a store by its location.
func TestDescribeLocationIsUnique(t *testing.T) {
	locations := map[string]bool{}
	for range 100 {
		location := memstore.NewDriver(memstore.Config{}).Describe().Location
		require.False(t, locations[location], location)
		locations[location] = true
		runtime.GC()
	}
}
