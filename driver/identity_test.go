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
	layered := engine.New(memstore.NewDriver(memstore.Config{}), driver.WithLayer(laid(second, overlay.Config{})))
	for _, row := range []struct {
		name   string
		bucket string
		layers []driver.Layer
		as     []driver.Layer
		same   bool
	}{
		{"the same place, opened again", "photos", nil, nil, true},
		{"another bucket", "videos", nil, nil, false},
		{"layers that change nothing", "photos", chain(meter.New().Layer(), limiting, readonly.New(readonly.Config{})), nil, true},
		{"a second store", "photos", chain(mirrored(first)), nil, false},
		{"the same second store", "photos", chain(mirrored(first)), chain(mirrored(first)), true},
		{"another second store", "photos", chain(mirrored(first)), chain(mirrored(second)), false},
		{"a folder of it", "photos", chain(mirrored(first)), chain(mirrored(storage.Prefixed(first, "a/"))), false},
		{"a wrapper of it, which has the same objects", "photos", chain(mirrored(first)), chain(mirrored(wrapped.Bucket(t, first, func(c storage.Core) storage.Core { return wrapper{c} }))), true},
		{"a layer of it", "photos", chain(mirrored(first)), chain(mirrored(layered)), false},
		{"an old store", "photos", chain(oldStore), nil, false},
		{"an old store, and a second one", "photos", chain(oldStore), chain(mirrored(first)), false},
		{"the same old store", "photos", chain(oldStore), chain(laid(first, overlay.Config{})), true},
		{"one that is read no more", "photos", chain(oldStore), chain(laid(first, overlay.Config{NewOnly: true})), false},
		{"an old store whose place is unknown", "photos", chain(laid(wrapped.Unknown(t, first), overlay.Config{})),
			chain(laid(wrapped.Unknown(t, first), overlay.Config{})), false},
		{"another order", "photos", chain(mirrored(second), oldStore), chain(oldStore, mirrored(second)), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			one := identityWith(t, dir, row.bucket, row.layers...)
			other := identityWith(t, dir, "photos", row.as...)
			require.Equal(t, row.same, one == other)
		})
	}
}
