package storagetest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest"
	"github.com/omnibucket/storage/storagetest/faults"
)

func memory(_ *testing.T, opts ...storage.OpenOption) storage.Bucket { return memstore.New(opts...) }

// behind is memory with a layer between it and what the suite brings.
func behind(layer storage.Layer) storagetest.Open {
	return func(_ *testing.T, opts ...storage.OpenOption) storage.Bucket {
		return memstore.New(append([]storage.OpenOption{storage.WithLayer(layer)}, opts...)...)
	}
}

func TestRunOnMemory(t *testing.T) {
	unlisted(t) // without signing, which takes a server: memstore's own tests have one
	storagetest.Run(t, memory)
}

func TestRunDriverOnMemory(t *testing.T) {
	unlisted(t)
	storagetest.RunDriver(t, func(*testing.T) storage.Driver { return memstore.NewDriver(memstore.Config{}) })
}

func TestRunServiceOnMemory(t *testing.T) {
	storagetest.RunService(t, func(*testing.T) *storage.Service { return memstore.NewService(memstore.ServiceConfig{}) })
}

// unlisted keeps stores that nobody has out of the support table.
func unlisted(t *testing.T) { t.Setenv("OMNIBUCKET_SUPPORT", "") }

// A store that declares next to nothing passes too: it proves Unsupported.
func TestRunOnAWeakStore(t *testing.T) {
	unlisted(t)
	storagetest.Run(t, behind(faults.Limits(faults.Bounds{Without: ^storage.OrderedList, MaxPutSize: 8 << 20, MaxBatch: -1})),
		storagetest.Without("a body that is damaged on its way is not stored", "memory keeps the sum that it is given, and here shows it to nobody"))
}

// One with parts and conditions that keeps nothing but bytes passes, too.
func TestRunOnAStoreWithoutAttributes(t *testing.T) {
	unlisted(t)
	storagetest.Run(t, behind(faults.Limits(faults.Bounds{
		Without: storage.Metadata | storage.ContentProperties | storage.StoredChecksums | storage.KeysBesideFolders | storage.LongSegments,
	})), storagetest.Without("a body that is damaged on its way is not stored", "memory keeps the sum that it is given, and here shows it to nobody"))
}

// What the core does for stores with awkward limits is proved without one: no
// streams, large equal parts, ASCII metadata, small pages and batches, answers
// that come over a network.
func TestRunOnAnAwkwardStore(t *testing.T) {
	unlisted(t)
	bounds := faults.Limits(faults.Bounds{
		Without: storage.StreamPut | storage.KeepVersions, EqualParts: true,
		MaxPutSize: 16 << 20, MinPartSize: 64 << 10, MaxPartSize: 16 << 20, MaxParts: 1000, MaxBatch: 2, MaxPage: 3,
	})
	storagetest.Run(t, behind(func(d storage.Driver) storage.Driver { return &awkward{bounds(d)} }),
		storagetest.Without("a body that is damaged on its way is not stored", "memory keeps the sum that it is given: there is no way on which bytes could be damaged"))
}

// And for one whose parts go one after the other.
func TestRunOnASequentialStore(t *testing.T) {
	unlisted(t)
	storagetest.Run(t, behind(faults.Limits(faults.Bounds{
		Without: storage.StreamPut, Sequential: true,
		MaxPutSize: 16 << 20, MinPartSize: 16 << 10, PartUnit: 16 << 10,
	})), storagetest.Without("a body that is damaged on its way is not stored", "memory keeps the sum that it is given: there is no way on which bytes could be damaged"))
}

type awkward struct{ storage.Driver }

func (d *awkward) Describe() storage.Description {
	desc := d.Driver.Describe()
	desc.ASCIIMetadata, desc.Local = true, false
	return desc
}

func TestRunOnAStoreThatKeepsVersions(t *testing.T) {
	unlisted(t)
	storagetest.RunDriver(t, func(*testing.T) storage.Driver { return memstore.NewDriver(memstore.Config{Versioned: true}) })
}

func TestWithoutIsListed(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("OMNIBUCKET_SUPPORT", dir)
	storagetest.Run(t, memory, storagetest.Without("ranges", "an example"), storagetest.Named("Some (store)"))
	data, err := os.ReadFile(filepath.Join(dir, "some--store-.json"))
	require.NoError(t, err)
	var found storagetest.Support
	require.NoError(t, json.Unmarshal(data, &found))
	require.Equal(t, map[string]string{"ranges": "an example"}, found.Without)
	require.Equal(t, len(storagetest.Cases())-1, found.Passed)
	require.Equal(t, "memory", found.Provider)
}
