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

// If a layer's second store is already in the chain, New or the first call returns an error. Otherwise one layer would
// fill the store, and another would empty it.
func TestLayersOfTwoStoresRefuseOneStoreTwice(t *testing.T) {
	a := memstore.New()
	b := memstore.New()
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
	openOver := func(layers ...driver.Layer) storage.Bucket {
		d := memstore.NewDriver(memstore.Config{})
		for _, layer := range layers {
			d = layer(d)
		}
		return engine.New(d)
	}

	tests := map[string]struct {
		bucket storage.Bucket
		says   string // "" if the chain is permitted
	}{
		"overlay, mirror":                          {openOver(laid(a), mirrored(b)), ""},
		"mirror, overlay":                          {openOver(mirrored(a), laid(b)), ""},
		"a mirror whose second store is a mirror":  {openOver(mirrored(openOver(mirrored(a)))), ""},
		"an overlay whose old store is an overlay": {openOver(laid(openOver(laid(a)))), ""},
		"overlay, mirror of its old store": {openOver(laid(a),
			mirrored(a)), "must not be the same store"},
		"overlay, cache, mirror of its old store": {openOver(laid(a), newCache(t, diskcache.Config{}),
			mirrored(a)),
			"must not be the same store"},
		"overlay of only the new store, mirror": {openOver(newOnly(a),
			mirrored(a)), "must not be the same store"},
		"mirror, overlay of its second store": {openOver(mirrored(a),
			laid(a)), "must not be the same store"},
		"overlay, overlay": {openOver(laid(a), laid(b)), "two layers overlay"},
		"overlay, mirror, overlay": {openOver(laid(a), mirrored(b), laid(memstore.New())),
			"two layers overlay"},
		"mirror, mirror": {openOver(mirrored(a), mirrored(b)), "two layers mirror"},
		"mirror, limit, overlay, mirror": {openOver(mirrored(a), newLimit(t, limit.Config{}), laid(b),
			mirrored(memstore.New())), "two layers mirror"},
		"overlay of only the new store, mirror, overlay": {openOver(newOnly(a), mirrored(b),
			laid(memstore.New())),
			"two layers overlay"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := tt.bucket.Upload(t.Context(), "a", strings.NewReader("text"))
			if tt.says == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, tt.says)
		})
	}
}

// layersOfTwoStores are the layers that have another store beside their own.
var layersOfTwoStores = map[string]func(other storage.Bucket) (driver.Layer, error){
	"mirror": func(other storage.Bucket) (driver.Layer, error) { return mirror.New(other, mirror.Config{}) },
	"overlay": func(other storage.Bucket) (driver.Layer, error) {
		return overlay.New(other, overlay.Config{})
	},
}

// Mirrors and overlays refuse a store that does not list keys in order.
func TestLayersOfTwoStoresNeedOrder(t *testing.T) {
	ordered := memstore.Config{}
	unordered := memstore.Config{AnyOrder: true}
	tests := []struct {
		name    string
		own     memstore.Config // of the store to which the layer is added
		other   memstore.Config // of the second store of a mirror, or the old one of an overlay
		refused bool
	}{
		{name: "its own store has no order", own: unordered, other: ordered, refused: true},
		{name: "the other store has no order", own: ordered, other: unordered, refused: true},
		{name: "both stores have an order", own: ordered, other: ordered, refused: false},
	}
	for _, tt := range tests {
		for layerName, newLayer := range layersOfTwoStores {
			t.Run(layerName+", "+tt.name, func(t *testing.T) {
				layer, err := newLayer(engine.New(memstore.NewDriver(tt.other)))
				require.NoError(t, err)
				b := engine.New(memstore.NewDriver(tt.own), driver.WithLayer(layer))

				_, err = b.Upload(t.Context(), "a", strings.NewReader("text"))
				if !tt.refused {
					require.NoError(t, err)
					return
				}
				require.ErrorIs(t, err, storage.Unsupported)
				require.ErrorContains(t, err, "must list in byte order")
			})
		}
	}
}

// A folderOrdered driver lists as some S3 servers do: in the order of a directory tree.
type folderOrdered struct{ driver.Driver }

// Describe says that the store lists folder by folder.
func (f folderOrdered) Describe() driver.Description {
	d := f.Driver.Describe()
	d.Features &^= storage.OrderedListing
	d.FolderOrder = true
	return d
}

// Mirrors and overlays list in byte order even if a store lists folder by folder.
func TestLayersOfTwoStoresSortFolderOrder(t *testing.T) {
	for name, newLayer := range layersOfTwoStores {
		t.Run(name, func(t *testing.T) {
			newStore := func() driver.Driver { return folderOrdered{memstore.NewDriver(memstore.Config{})} }
			layer, err := newLayer(engine.New(newStore()))
			require.NoError(t, err)
			b := engine.New(newStore(), driver.WithLayer(layer))

			// Folder by folder, the folder "a" with "a/c" would come before "a-b".
			sorted := []string{"a-b", "a/c", "b"}
			for _, key := range sorted {
				_, err := b.Upload(t.Context(), key, strings.NewReader("text"))
				require.NoError(t, err)
			}

			var keys []string
			for entry, err := range b.List(t.Context()) {
				require.NoError(t, err)
				keys = append(keys, entry.Key)
			}
			require.Equal(t, sorted, keys)
		})
	}
}
