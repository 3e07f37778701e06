package layers_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/diskcache"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/differential"
)

// These layers do not change what a bucket returns. So random calls of a bucket with a layer, which differential.Run
// makes, have the same results as on a store in memory.
func TestRandomCallsAsInMemory(t *testing.T) {
	// The first half of the calls fills a bucket without a layer. Then this bucket becomes the old
	// store of an overlay, and the other calls go to the overlay.
	openWithoutLayer := func(_ *testing.T, opts ...storage.OpenOption) storage.Bucket {
		return memstore.New(opts...)
	}
	overlays := []struct {
		name   string
		config overlay.Config
	}{
		{name: "overlay over a store with objects", config: overlay.Config{}},
		{name: "overlay that keeps the objects of the old store", config: overlay.Config{KeepOld: true}},
		{name: "overlay that copies what is read", config: overlay.Config{CopyOnRead: true}},
	}
	for _, tt := range overlays {
		t.Run(tt.name, func(t *testing.T) {
			newOverlay := func(t *testing.T, old storage.Bucket) storage.Bucket {
				layer, err := overlay.New(old, tt.config)
				require.NoError(t, err)
				return memstore.New(driver.WithLayer(layer))
			}
			differential.Run(t, differential.Config{Change: newOverlay}, openWithoutLayer)
		})
	}

	// The bucket has the layer from the first call on.
	layers := []struct {
		name string
		open func(t *testing.T) (driver.Layer, error)
	}{
		{
			name: "overlay",
			open: func(*testing.T) (driver.Layer, error) { return overlay.New(memstore.New(), overlay.Config{}) },
		},
		{
			name: "mirror",
			open: func(*testing.T) (driver.Layer, error) { return mirror.New(memstore.New(), mirror.Config{}) },
		},
		{
			name: "diskcache",
			open: func(t *testing.T) (driver.Layer, error) {
				return newCache(t, diskcache.Config{BlockBytes: 7777, Unpinned: true}), nil
			},
		},
	}
	for _, tt := range layers {
		t.Run(tt.name, func(t *testing.T) {
			open := func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
				layer, err := tt.open(t)
				require.NoError(t, err)
				opts = append(opts, driver.WithLayer(layer), storage.WithVersioning(true))
				return memstore.New(opts...)
			}
			differential.Run(t, differential.Config{}, open)
		})
	}

	t.Run("Prefixed", func(t *testing.T) {
		open := func(_ *testing.T, opts ...storage.OpenOption) storage.Bucket {
			return storage.Prefixed(memstore.New(opts...), "p/")
		}
		differential.Run(t, differential.Config{Versions: true}, open)
	})
}
