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

// openLayered opens a store in memory with layers, of which the last is outermost.
func openLayered(layers ...driver.Layer) storage.Bucket {
	d := memstore.NewDriver(memstore.Config{})
	for _, layer := range layers {
		d = layer(d)
	}
	return engine.New(d)
}

// A mirror and an overlay each use a second store besides that of the bucket. Two layers of a
// bucket cannot use the same second store, because one would fill it and the other would empty it.
// A bucket cannot have two layers of one kind, either.
func TestLayersOfTwoStoresRefuseOneStoreTwice(t *testing.T) {
	storeA := memstore.New()
	storeB := memstore.New()
	storeC := memstore.New()
	newMirror := func(second storage.Bucket) driver.Layer {
		layer, err := mirror.New(second, mirror.Config{})
		require.NoError(t, err)
		return layer
	}
	newOverlay := func(old storage.Bucket) driver.Layer {
		layer, err := overlay.New(old, overlay.Config{})
		require.NoError(t, err)
		return layer
	}
	newOnly := func(old storage.Bucket) driver.Layer {
		layer, err := overlay.New(old, overlay.Config{NewOnly: true})
		require.NoError(t, err)
		return layer
	}

	tests := []struct {
		name    string
		layers  []driver.Layer // each one above the one before it
		wantErr string         // "" if the layers are permitted
	}{
		{
			name:   "overlay and mirror",
			layers: []driver.Layer{newOverlay(storeA), newMirror(storeB)},
		},
		{
			name:   "mirror and overlay",
			layers: []driver.Layer{newMirror(storeA), newOverlay(storeB)},
		},
		{
			name:   "mirror whose second store is a mirror",
			layers: []driver.Layer{newMirror(openLayered(newMirror(storeA)))},
		},
		{
			name:   "overlay whose old store is an overlay",
			layers: []driver.Layer{newOverlay(openLayered(newOverlay(storeA)))},
		},
		{
			name:    "overlay, and mirror of its old store",
			layers:  []driver.Layer{newOverlay(storeA), newMirror(storeA)},
			wantErr: "must not be the same store",
		},
		{
			name:    "overlay, cache, and mirror of the overlay's old store",
			layers:  []driver.Layer{newOverlay(storeA), newCache(t, diskcache.Config{}), newMirror(storeA)},
			wantErr: "must not be the same store",
		},
		{
			name:    "overlay with NewOnly, and mirror of its old store",
			layers:  []driver.Layer{newOnly(storeA), newMirror(storeA)},
			wantErr: "must not be the same store",
		},
		{
			name:    "mirror, and overlay of its second store",
			layers:  []driver.Layer{newMirror(storeA), newOverlay(storeA)},
			wantErr: "must not be the same store",
		},
		{
			name:    "two overlays",
			layers:  []driver.Layer{newOverlay(storeA), newOverlay(storeB)},
			wantErr: "two layers overlay",
		},
		{
			name:    "two overlays with a mirror in between",
			layers:  []driver.Layer{newOverlay(storeA), newMirror(storeB), newOverlay(storeC)},
			wantErr: "two layers overlay",
		},
		{
			name:    "two mirrors",
			layers:  []driver.Layer{newMirror(storeA), newMirror(storeB)},
			wantErr: "two layers mirror",
		},
		{
			name: "two mirrors with other layers in between",
			layers: []driver.Layer{
				newMirror(storeA), newLimit(t, limit.Config{}), newOverlay(storeB), newMirror(storeC),
			},
			wantErr: "two layers mirror",
		},
		{
			name:    "two overlays, of which one has NewOnly",
			layers:  []driver.Layer{newOnly(storeA), newMirror(storeB), newOverlay(storeC)},
			wantErr: "two layers overlay",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := openLayered(tt.layers...).Upload(t.Context(), "a", strings.NewReader("text"))
			if tt.wantErr == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, tt.wantErr)
		})
	}
}

// layersOfTwoStores are the layers that use a second store beside that of the bucket.
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

			// In a listing folder by folder, the folder "a" with the object "a/c" would come before
			// "a-b".
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
