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

func TestRandomCallsAsInMemory(t *testing.T) {
	newOverlay := func(c overlay.Config) func(t *testing.T, old storage.Bucket) storage.Bucket {
		return func(t *testing.T, old storage.Bucket) storage.Bucket {
			layer, err := overlay.New(old, c)
			require.NoError(t, err)
			return memstore.New(driver.WithLayer(layer))
		}
	}
	openPlain := func(_ *testing.T, opts ...storage.OpenOption) storage.Bucket {
		return memstore.New(opts...)
	}

	t.Run("overlay over a store with objects", func(t *testing.T) {
		differential.Run(t, differential.Config{Change: newOverlay(overlay.Config{})}, openPlain)
	})

	t.Run("overlay that keeps the objects of the old store", func(t *testing.T) {
		differential.Run(t, differential.Config{Change: newOverlay(overlay.Config{KeepOld: true})}, openPlain)
	})

	t.Run("overlay that copies what is read", func(t *testing.T) {
		differential.Run(t, differential.Config{Change: newOverlay(overlay.Config{CopyOnRead: true})},
			openPlain)
	})

	versions := storage.WithVersioning(true) // which the store keeps
	for name, layer := range map[string]func(t *testing.T) (driver.Layer, error){
		"overlay": func(*testing.T) (driver.Layer, error) {
			return overlay.New(memstore.New(), overlay.Config{})
		},
		"mirror": func(*testing.T) (driver.Layer, error) {
			return mirror.New(memstore.New(), mirror.Config{})
		},
		"diskcache": func(t *testing.T) (driver.Layer, error) {
			return newCache(t, diskcache.Config{BlockBytes: 7777, Unpinned: true}), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			differential.Run(t, differential.Config{},
				func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
					l, err := layer(t)
					require.NoError(t, err)
					return memstore.New(append(opts, driver.WithLayer(l), versions)...)
				})
		})
	}

	t.Run("Prefixed", func(t *testing.T) {
		differential.Run(t, differential.Config{Versions: true},
			func(_ *testing.T, opts ...storage.OpenOption) storage.Bucket {
				return storage.Prefixed(memstore.New(opts...), "p/")
			})
	})
}
