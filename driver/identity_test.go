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

// identityWith returns the StackIdentity of a local bucket in dir below some layers.
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

	// The layers mirror and overlay get one of these buckets as their second or old store.
	first := memstore.New()
	second := memstore.New()
	layered := engine.New(memstore.NewDriver(memstore.Config{}),
		driver.WithLayer(overlayOn(t, second, overlay.Config{})))

	limiting, err := limit.New(limit.Config{})
	require.NoError(t, err)

	// Each row compares the stack of some layers over a bucket with another stack over the bucket "photos".
	type stack []driver.Layer
	tests := []struct {
		name        string
		bucket      string
		layers      stack
		otherLayers stack
		wantSame    bool
	}{
		{name: "the same place, opened again", bucket: "photos", wantSame: true},
		{name: "another bucket", bucket: "videos"},
		{
			name:     "layers that change nothing",
			bucket:   "photos",
			layers:   stack{meter.New().Layer(), limiting, readonly.New(readonly.Config{})},
			wantSame: true,
		},
		{name: "a second store", bucket: "photos", layers: stack{mirrorTo(t, first)}},
		{
			name:        "the same second store",
			bucket:      "photos",
			layers:      stack{mirrorTo(t, first)},
			otherLayers: stack{mirrorTo(t, first)},
			wantSame:    true,
		},
		{
			name:        "another second store",
			bucket:      "photos",
			layers:      stack{mirrorTo(t, first)},
			otherLayers: stack{mirrorTo(t, second)},
		},
		{
			name:        "a folder of the second store",
			bucket:      "photos",
			layers:      stack{mirrorTo(t, first)},
			otherLayers: stack{mirrorTo(t, storage.Prefixed(first, "a/"))},
		},
		{
			name:   "a wrapper of the second store, which has the same objects",
			bucket: "photos",
			layers: stack{mirrorTo(t, first)},
			otherLayers: stack{mirrorTo(t, wrapped.Bucket(t, first, func(c storage.Core) storage.Core {
				return wrapper{c}
			}))},
			wantSame: true,
		},
		{
			name:        "a second store that has a layer",
			bucket:      "photos",
			layers:      stack{mirrorTo(t, first)},
			otherLayers: stack{mirrorTo(t, layered)},
		},
		{
			name:   "an old store",
			bucket: "photos",
			layers: stack{overlayOn(t, first, overlay.Config{})},
		},
		{
			name:        "an old store, and a second one",
			bucket:      "photos",
			layers:      stack{overlayOn(t, first, overlay.Config{})},
			otherLayers: stack{mirrorTo(t, first)},
		},
		{
			name:        "the same old store",
			bucket:      "photos",
			layers:      stack{overlayOn(t, first, overlay.Config{})},
			otherLayers: stack{overlayOn(t, first, overlay.Config{})},
			wantSame:    true,
		},
		{
			name:        "an old store that is read no more",
			bucket:      "photos",
			layers:      stack{overlayOn(t, first, overlay.Config{})},
			otherLayers: stack{overlayOn(t, first, overlay.Config{NewOnly: true})},
		},
		{
			name:        "an old store whose place is unknown",
			bucket:      "photos",
			layers:      stack{overlayOn(t, wrapped.Unknown(t, first), overlay.Config{})},
			otherLayers: stack{overlayOn(t, wrapped.Unknown(t, first), overlay.Config{})},
		},
		{
			name:        "the same layers in another order",
			bucket:      "photos",
			layers:      stack{mirrorTo(t, second), overlayOn(t, first, overlay.Config{})},
			otherLayers: stack{overlayOn(t, first, overlay.Config{}), mirrorTo(t, second)},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			identity := identityWith(t, dir, tt.bucket, tt.layers...)
			other := identityWith(t, dir, "photos", tt.otherLayers...)
			require.Equal(t, tt.wantSame, identity == other)
		})
	}

	t.Run("an identity is a hash in hexadecimal", func(t *testing.T) {
		require.Regexp(t, regexp.MustCompile("^[0-9a-f]{64}$"), identityWith(t, dir, "photos"))
	})
}

// mirrorTo returns a layer that writes to a second store, too.
func mirrorTo(t *testing.T, second storage.Bucket) driver.Layer {
	t.Helper()
	layer, err := mirror.New(second, mirror.Config{})
	require.NoError(t, err)
	return layer
}

// overlayOn returns a layer that reads from an old store what the new one lacks.
func overlayOn(t *testing.T, old storage.Bucket, config overlay.Config) driver.Layer {
	t.Helper()
	layer, err := overlay.New(old, config)
	require.NoError(t, err)
	return layer
}
