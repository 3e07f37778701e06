package layers_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/layers/readonly"
	"github.com/omnibucket/storage/memstore"
)

// If the readonly layer is above or below an overlay or a mirror, neither of the two stores of the
// overlay or mirror changes.
func TestReadonlyBucketChangesNoStore(t *testing.T) {
	refusing := readonly.New(readonly.Config{})
	overlayOn := func(other storage.Bucket) driver.Layer {
		layer, err := overlay.New(other, overlay.Config{})
		require.NoError(t, err)
		return layer
	}
	mirrorOn := func(other storage.Bucket) driver.Layer {
		layer, err := mirror.New(other, mirror.Config{})
		require.NoError(t, err)
		return layer
	}

	// Each row returns layers, from the lowest to the highest.
	tests := map[string]func(other storage.Bucket) []driver.Layer{
		"below an overlay": func(other storage.Bucket) []driver.Layer {
			return []driver.Layer{refusing, overlayOn(other)}
		},
		"above an overlay": func(other storage.Bucket) []driver.Layer {
			return []driver.Layer{overlayOn(other), refusing}
		},
		"below a mirror": func(other storage.Bucket) []driver.Layer {
			return []driver.Layer{refusing, mirrorOn(other)}
		},
		"above a mirror": func(other storage.Bucket) []driver.Layer {
			return []driver.Layer{mirrorOn(other), refusing}
		},
		"below a mirror, below an overlay": func(other storage.Bucket) []driver.Layer {
			return []driver.Layer{refusing, mirrorOn(memstore.New()), overlayOn(other)}
		},
	}
	for name, layers := range tests {
		t.Run(name, func(t *testing.T) {
			store := memstore.NewDriver(memstore.Config{})
			other := memstore.New()
			for _, b := range []storage.Bucket{engine.New(store), other} {
				_, err := b.Upload(t.Context(), "both", strings.NewReader("text"))
				require.NoError(t, err)
			}
			_, err := other.Upload(t.Context(), "old", strings.NewReader("text"))
			require.NoError(t, err)

			d := store
			for _, layer := range layers(other) {
				d = layer(d)
			}
			b := engine.New(d, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))

			for _, key := range []string{"both", "old"} {
				require.Error(t, storage.SetTags(t.Context(), b, key, map[string]string{"a": "b"}))
				require.Error(t, b.Remove(t.Context(), key))
				_, err := b.Upload(t.Context(), key, strings.NewReader("changed"))
				require.Error(t, err)

				attrs, err := other.Attrs(t.Context(), key)
				require.NoError(t, err, "it is still there")
				require.Zero(t, attrs.TagCount)
				require.EqualValues(t, 4, attrs.Size)
			}
		})
	}
}
