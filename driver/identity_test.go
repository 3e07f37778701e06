package driver_test

import (
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/layers/limit"
	"github.com/omnibucket/storage/layers/meter"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/layers/readonly"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
)

// A wrapper is a Core of a program.
type wrapper struct{ storage.Core }

// identityWith returns the StackIdentity of a bucket in a directory, below layers.
func identityWith(t *testing.T, dir, bucket string, layers ...driver.Layer) string {
	t.Helper()
	d, err := local.NewDriver(filepath.Join(dir, bucket), local.Config{Create: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	for _, layer := range layers {
		d = layer(d)
	}
	return driver.StackIdentity(d)
}

// The identity of a bucket depends on its location, and on the stores that layers such as mirror and overlay add.
// Layers such as limit and readonly do not change it.
func TestStackIdentity(t *testing.T) {
	dir := t.TempDir()
	text := identityWith(t, dir, "photos")
	require.Regexp(t, regexp.MustCompile("^[0-9a-f]{64}$"), text)

	limiting, err := limit.New(limit.Config{})
	require.NoError(t, err)
	first := memstore.New()
	second := memstore.New()
	mirrored := func(second storage.Bucket) driver.Layer {
		layer, err := mirror.New(second, mirror.Config{})
		require.NoError(t, err)
		return layer
	}
	laid := func(old storage.Bucket, c overlay.Config) driver.Layer {
		layer, err := overlay.New(old, c)
		require.NoError(t, err)
		return layer
	}
	oldStore := laid(first, overlay.Config{})
	chain := func(layers ...driver.Layer) []driver.Layer { return layers }
	layered := engine.New(memstore.NewDriver(memstore.Config{}),
		driver.WithLayer(laid(second, overlay.Config{})))
	tests := []struct {
		name   string
		bucket string
		layers []driver.Layer
		as     []driver.Layer
		same   bool
	}{
		{name: "the same place, opened again", bucket: "photos", same: true},
		{name: "another bucket", bucket: "videos"},
		{
			name:   "layers that change nothing",
			bucket: "photos",
			layers: chain(meter.New().Layer(), limiting, readonly.New(readonly.Config{})),
			same:   true,
		},
		{name: "a second store", bucket: "photos", layers: chain(mirrored(first))},
		{
			name:   "the same second store",
			bucket: "photos",
			layers: chain(mirrored(first)),
			as:     chain(mirrored(first)),
			same:   true,
		},
		{
			name:   "another second store",
			bucket: "photos",
			layers: chain(mirrored(first)),
			as:     chain(mirrored(second)),
		},
		{
			name:   "a folder of it",
			bucket: "photos",
			layers: chain(mirrored(first)),
			as:     chain(mirrored(storage.Prefixed(first, "a/"))),
		},
		{
			name:   "a wrapper of it, which has the same objects",
			bucket: "photos",
			layers: chain(mirrored(first)),
			as: chain(mirrored(wrapped.Bucket(t, first, func(c storage.Core) storage.Core {
				return wrapper{c}
			}))),
			same: true,
		},
		{
			name:   "a layer of it",
			bucket: "photos",
			layers: chain(mirrored(first)),
			as:     chain(mirrored(layered)),
		},
		{name: "an old store", bucket: "photos", layers: chain(oldStore)},
		{
			name:   "an old store, and a second one",
			bucket: "photos",
			layers: chain(oldStore),
			as:     chain(mirrored(first)),
		},
		{
			name:   "the same old store",
			bucket: "photos",
			layers: chain(oldStore),
			as:     chain(laid(first, overlay.Config{})),
			same:   true,
		},
		{
			name:   "one that is read no more",
			bucket: "photos",
			layers: chain(oldStore),
			as:     chain(laid(first, overlay.Config{NewOnly: true})),
		},
		{
			name:   "an old store whose place is unknown",
			bucket: "photos",
			layers: chain(laid(wrapped.Unknown(t, first), overlay.Config{})),
			as:     chain(laid(wrapped.Unknown(t, first), overlay.Config{})),
		},
		{
			name:   "another order",
			bucket: "photos",
			layers: chain(mirrored(second), oldStore),
			as:     chain(oldStore, mirrored(second)),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			one := identityWith(t, dir, tt.bucket, tt.layers...)
			other := identityWith(t, dir, "photos", tt.as...)
			require.Equal(t, tt.same, one == other)
		})
	}
}
