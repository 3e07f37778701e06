package layers_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/diskcache"
	"github.com/omnibucket/storage/layers/limit"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
)

// One store in two places of a chain would be emptied by the one layer and filled by the other.
func TestLayersOfTwoStoresInOneChain(t *testing.T) {
	a, b := memstore.New(), memstore.New()
	mirrored := func(second storage.Bucket) driver.Layer {
		layer, err := mirror.New(second, mirror.Config{})
		require.NoError(t, err)
		return layer
	}
	laid := func(old storage.Bucket) driver.Layer {
		layer, err := overlay.New(old, overlay.Config{})
		require.NoError(t, err)
		return layer
	}
	newOnly := func(old storage.Bucket) driver.Layer {
		layer, err := overlay.New(old, overlay.Config{NewOnly: true})
		require.NoError(t, err)
		return layer
	}
	over := func(layers ...driver.Layer) storage.Bucket {
		d := memstore.NewDriver(memstore.Config{})
		for _, layer := range layers {
			d = layer(d)
		}
		return engine.New(d)
	}
	for name, row := range map[string]struct {
		bucket storage.Bucket
		says   string // "" if the chain is permitted
	}{
		"overlay, mirror":                          {over(laid(a), mirrored(b)), ""},
		"mirror, overlay":                          {over(mirrored(a), laid(b)), ""},
		"a mirror whose second store is a mirror":  {over(mirrored(over(mirrored(a)))), ""},
		"an overlay whose old store is an overlay": {over(laid(over(laid(a)))), ""},
		"overlay, mirror of its old store":         {over(laid(a), mirrored(a)), "must not be the same store"},
		"overlay, cache, mirror of its old store": {over(laid(a), newCache(t, diskcache.Config{}), mirrored(a)),
			"must not be the same store"},
		"overlay of only the new store, mirror": {over(newOnly(a), mirrored(a)), "must not be the same store"},
		"mirror, overlay of its second store":   {over(mirrored(a), laid(a)), "must not be the same store"},
		"overlay, overlay":                      {over(laid(a), laid(b)), "two layers overlay"},
		"overlay, mirror, overlay": {over(laid(a), mirrored(b), laid(memstore.New())),
			"two layers overlay"},
		"mirror, mirror": {over(mirrored(a), mirrored(b)), "two layers mirror"},
		"mirror, limit, overlay, mirror": {over(mirrored(a), newLimit(t, limit.Config{}), laid(b),
			mirrored(memstore.New())), "two layers mirror"},
		"overlay of only the new store, mirror, overlay": {over(newOnly(a), mirrored(b), laid(memstore.New())),
			"two layers overlay"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := row.bucket.Upload(t.Context(), "a", strings.NewReader("text"))
			if row.says == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, row.says)
		})
	}
}

func TestALayerOfTwoStoresRefusesAStoreWithoutOrder(t *testing.T) {
	mirrored := func(other storage.Bucket) (driver.Layer, error) { return mirror.New(other, mirror.Config{}) }
	laid := func(other storage.Bucket) (driver.Layer, error) { return overlay.New(other, overlay.Config{}) }
	for name, row := range map[string]struct {
		layer      func(storage.Bucket) (driver.Layer, error)
		own, other memstore.Config
	}{
		"the primary of a mirror":          {mirrored, memstore.Config{AnyOrder: true}, memstore.Config{}},
		"the second store of a mirror":     {mirrored, memstore.Config{}, memstore.Config{AnyOrder: true}},
		"the new store of an overlay":      {laid, memstore.Config{AnyOrder: true}, memstore.Config{}},
		"the old store of an overlay":      {laid, memstore.Config{}, memstore.Config{AnyOrder: true}},
		"a mirror of two stores in memory": {mirrored, memstore.Config{}, memstore.Config{}},
	} {
		t.Run(name, func(t *testing.T) {
			layer, err := row.layer(engine.New(memstore.NewDriver(row.other)))
			require.NoError(t, err)
			b := engine.New(memstore.NewDriver(row.own), driver.WithLayer(layer))
			_, err = b.Upload(t.Context(), "a", strings.NewReader("text"))
			if !row.own.AnyOrder && !row.other.AnyOrder {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, storage.Unsupported)
			require.ErrorContains(t, err, "must list in byte order")
		})
	}
}
