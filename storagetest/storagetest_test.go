package storagetest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest"
	"github.com/omnibucket/storage/storagetest/faults"
)

func newMemory(_ *testing.T, opts ...storage.OpenOption) storage.Bucket { return memstore.New(opts...) }

// skipDamagedBodies skips a case that a store in memory cannot pass.
func skipDamagedBodies() storagetest.Option {
	return storagetest.Skip("a body that is damaged in transit is not stored",
		"memory trusts the checksum that it gets: bytes cannot be damaged in transit")
}

// memoryBehind returns an Open for buckets in memory that have this layer. The layer is below the
// suite's own layers.
func memoryBehind(layer driver.Layer) storagetest.Open {
	return func(_ *testing.T, opts ...storage.OpenOption) storage.Bucket {
		return memstore.New(append([]storage.OpenOption{driver.WithLayer(layer)}, opts...)...)
	}
}

// The suite passes for the driver in memory.
func TestRunDriverOnMemory(t *testing.T) {
	omitFromSupportTable(t)
	storagetest.RunDriver(t, func(*testing.T) driver.Driver { return memstore.NewDriver(memstore.Config{}) })
}

// The suite of accounts passes for the account in memory.
func TestRunServiceOnMemory(t *testing.T) {
	storagetest.RunService(t,
		func(*testing.T) storage.Service { return memstore.NewService(memstore.ServiceConfig{}) })
}

// omitFromSupportTable keeps a store out of the support table, because it exists only in tests.
func omitFromSupportTable(t *testing.T) { t.Setenv("OMNIBUCKET_SUPPORT", "") }

// The suite passes for a store with almost no features. Many of its cases then require that a call
// fails with Unsupported.
func TestFurtherRunOnAWeakStore(t *testing.T) {
	testserver.Further(t)
	omitFromSupportTable(t)
	storagetest.Run(t, memoryBehind(faults.WithLimits(faults.Limits{
		Disable:    ^storage.OrderedListing,
		MaxPutSize: 8 << 20,
		MaxBatch:   -1, // no batches
	})), skipDamagedBodies())
}

// The suite passes for a store that keeps no metadata, content properties or checksums, but has
// multipart uploads and conditions.
func TestFurtherRunOnAStoreWithoutAttributes(t *testing.T) {
	testserver.Further(t)
	omitFromSupportTable(t)
	storagetest.Run(t, memoryBehind(faults.WithLimits(faults.Limits{
		Disable: storage.Metadata | storage.ContentProperties | storage.StoredChecksums |
			storage.KeysBesideFolders | storage.LongSegments,
	})), skipDamagedBodies())
}

// The suite passes for a store with unusual limits: no streams, large parts of equal size, ASCII metadata, small
// pages and batches, and remote responses.
func TestFurtherRunOnAnAwkwardStore(t *testing.T) {
	testserver.Further(t)
	omitFromSupportTable(t)
	limited := faults.WithLimits(faults.Limits{
		Disable:     driver.StreamingPut | storage.Versioning,
		EqualParts:  true,
		MaxPutSize:  16 << 20,
		MinPartSize: 64 << 10,
		MaxPartSize: 16 << 20,
		MaxParts:    1000,
		MaxBatch:    2,
		MaxPage:     3,
	})
	layer := func(d driver.Driver) driver.Driver { return &awkward{limited(d)} }
	storagetest.Run(t, memoryBehind(layer), skipDamagedBodies())
}

// The suite passes for a store that takes the parts of an upload only in sequence.
func TestFurtherRunOnASequentialStore(t *testing.T) {
	testserver.Further(t)
	omitFromSupportTable(t)
	storagetest.Run(t, memoryBehind(faults.WithLimits(faults.Limits{
		Disable:     driver.StreamingPut,
		Sequential:  true,
		MaxPutSize:  16 << 20,
		MinPartSize: 16 << 10,
		PartUnit:    16 << 10,
	})), skipDamagedBodies())
}

type awkward struct{ driver.Driver }

// Describe says that the store keeps only ASCII metadata, and is not local.
func (d *awkward) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.ASCIIMetadata = true
	desc.Local = false
	return desc
}

// The suite passes for a store in memory that keeps versions.
func TestFurtherRunOnAStoreThatKeepsVersions(t *testing.T) {
	testserver.Further(t)
	omitFromSupportTable(t)
	storagetest.RunDriver(t, func(*testing.T) driver.Driver {
		return memstore.NewDriver(memstore.Config{Versioned: true})
	})
}

// The result of a run lists the skipped cases with their reasons.
func TestSkippedCasesAreListed(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("OMNIBUCKET_SUPPORT", dir)
	opts := []storagetest.Option{
		storagetest.WithName("Some (store)"),
		storagetest.Skip("ranges", "an example"),
	}

	// All cases with the rule R3 run, except for "ranges".
	skipped := map[string]string{"ranges": "an example"}
	passed := 0
	for _, c := range storagetest.Cases() {
		switch {
		case c.Name == "ranges":
		case c.Rule == "R3":
			passed++
		default:
			skipped[c.Name] = "of another rule"
			opts = append(opts, storagetest.Skip(c.Name, skipped[c.Name]))
		}
	}
	storagetest.Run(t, newMemory, opts...)

	// The name of the result's file follows from that of the store.
	data, err := os.ReadFile(filepath.Join(dir, "some--store-.json"))
	require.NoError(t, err)

	var support storagetest.Support
	require.NoError(t, json.Unmarshal(data, &support))
	require.Equal(t, skipped, support.Without)
	require.Positive(t, passed)
	require.Equal(t, passed, support.Passed)
	require.Equal(t, "memory", support.Provider)
}
