package mirror_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	_ "github.com/omnibucket/storage/internal/testing/memoryfiles"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/storagetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newLayer returns the layer of a mirror with this second store.
func newLayer(t *testing.T, second storage.Bucket, c mirror.Config) driver.Layer {
	t.Helper()
	layer, err := mirror.New(second, c)
	require.NoError(t, err)
	return layer
}

// newDirectory returns a driver of an empty directory.
func newDirectory(t *testing.T) driver.Driver {
	t.Helper()
	d, err := local.NewDriver(t.TempDir(), local.Config{NoSync: true})
	require.NoError(t, err)
	return d
}

// put stores an object.
func put(t *testing.T, b storage.Bucket, key, text string, opts ...storage.UploadOption) *storage.Attrs {
	t.Helper()
	attrs, err := b.Upload(t.Context(), key, strings.NewReader(text), opts...)
	require.NoError(t, err)
	return attrs
}

// contentsOf returns all objects of a bucket, without notes.
func contentsOf(t *testing.T, b storage.Bucket) map[string]string {
	t.Helper()
	all := map[string]string{}
	for object, err := range b.List(t.Context()) {
		require.NoError(t, err)
		if strings.HasPrefix(object.Key, mirror.NotesPrefix) {
			continue
		}
		data, _, err := storage.ReadAll(t.Context(), b, object.Key)
		require.NoError(t, err, object.Key)
		all[object.Key] = string(data)
	}
	return all
}

// The conformance suite passes for a mirror of two stores in memory.
func TestConformance(t *testing.T) {
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for it
	storagetest.RunDriver(t, func(t *testing.T) driver.Driver {
		layer := newLayer(t, memstore.New(), mirror.Config{})
		return layer(memstore.NewDriver(memstore.Config{}))
	})
}

// The conformance suite passes for a mirror with Config.Sync.
func TestFurtherConformanceWithSync(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "")
	newDriver := func(t *testing.T) driver.Driver {
		layer := newLayer(t, memstore.New(), mirror.Config{Sync: true})
		return layer(memstore.NewDriver(memstore.Config{}))
	}
	skip := storagetest.Skip("a body that is damaged in transit is not stored",
		"the copy finds the damage in the primary: OutcomeUnknown")
	storagetest.RunDriver(t, newDriver, skip)
}

// The conformance suite passes for a mirror whose primary is a directory.
func TestFurtherConformanceOfADirectoryBesideMemory(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "")
	storagetest.RunDriver(t, func(t *testing.T) driver.Driver {
		layer := newLayer(t, memstore.New(), mirror.Config{})
		return layer(newDirectory(t))
	})
}

// The conformance suite passes for a mirror whose second store is a directory.
func TestFurtherConformanceOfMemoryBesideADirectory(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "")
	storagetest.RunDriver(t, func(t *testing.T) driver.Driver {
		second := engine.New(newDirectory(t))
		t.Cleanup(func() {
			require.NoError(t, storage.Close(second))
		})
		layer := newLayer(t, second, mirror.Config{})
		return layer(memstore.NewDriver(memstore.Config{}))
	})
}

// A mirror whose second store is its primary is refused.
func TestNewRefusesOneStoreTwice(t *testing.T) {
	dir := t.TempDir()
	newDriver := func() driver.Driver {
		d, err := local.NewDriver(dir, local.Config{NoSync: true})
		require.NoError(t, err)
		return d
	}
	layer := newLayer(t, engine.New(newDriver()), mirror.Config{})
	b := engine.New(newDriver(), driver.WithLayer(layer))

	_, err := b.Attrs(t.Context(), "key")
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorContains(t, err, "must not be the same bucket")
}
