package layers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/diskcache"
	"github.com/omnibucket/storage/layers/limit"
	"github.com/omnibucket/storage/layers/meter"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
)

// openShared returns a function that opens a bucket over d. Each call can use other options.
func openShared(d driver.Driver) func(opts ...storage.OpenOption) storage.Bucket {
	return func(opts ...storage.OpenOption) storage.Bucket { return engine.New(d, opts...) }
}

// A bucket may keep the versions of objects that are replaced or removed. If the bucket also has a
// layer, the store itself keeps the versions. So they are still there without the layer.
func TestLayersKeepOptionsOfStore(t *testing.T) {
	stores := map[string]func(t *testing.T) driver.Driver{
		"memory": func(*testing.T) driver.Driver { return memstore.NewDriver(memstore.Config{}) },
		"directory": func(t *testing.T) driver.Driver {
			d, err := local.NewDriver(t.TempDir(), local.Config{})
			require.NoError(t, err)
			return d
		},
	}
	layers := map[string]func(t *testing.T) driver.Layer{
		"mirror": func(t *testing.T) driver.Layer {
			layer, err := mirror.New(memstore.New(), mirror.Config{})
			require.NoError(t, err)
			return layer
		},
		"overlay": func(t *testing.T) driver.Layer {
			layer, err := overlay.New(memstore.New(), overlay.Config{})
			require.NoError(t, err)
			return layer
		},
		"diskcache": func(t *testing.T) driver.Layer { return newCache(t, diskcache.Config{}) },
		"limit":     func(t *testing.T) driver.Layer { return newLimit(t, limit.Config{}) },
		"meter":     func(*testing.T) driver.Layer { return meter.New().Layer() },
	}

	// countVersions returns how many versions of the object "a" the store has.
	countVersions := func(t *testing.T, b storage.Bucket, opts ...storage.ListOption) (versions int) {
		for entry, err := range storage.Versions(t.Context(), b, opts...) {
			require.NoError(t, err)
			if entry.Key == "a" && !entry.IsDeleteMarker {
				versions++
			}
		}
		return versions
	}
	setLegalHold := func(t *testing.T, b storage.Bucket) {
		_, err := b.Upload(t.Context(), "locked", strings.NewReader("x"))
		require.NoError(t, err)
		require.NoError(t, storage.SetLegalHold(t.Context(), b, "locked", true))
	}

	tests := []struct {
		name         string
		option       storage.OpenOption
		listOpts     []storage.ListOption // with which kept objects are listed
		supportsHold bool                 // objects can have a legal hold
	}{
		{
			name:   "WithVersioning",
			option: storage.WithVersioning(true),
		},
		{
			name:     "WithSoftDelete",
			option:   storage.WithSoftDelete(time.Hour),
			listOpts: []storage.ListOption{storage.WithSoftDeleted()},
		},
		{
			name:         "WithObjectLock",
			option:       storage.WithObjectLock(),
			supportsHold: true,
		},
	}
	for _, tt := range tests {
		for store, newStore := range stores {
			for layer, newLayer := range layers {
				t.Run(tt.name+" "+store+" "+layer, func(t *testing.T) {
					// Replace and remove an object through the layer. Each call of open opens the same store.
					open := openShared(newStore(t))
					layered := open(tt.option, driver.WithLayer(newLayer(t)))
					for _, text := range []string{"first", "second"} {
						_, err := layered.Upload(t.Context(), "a", strings.NewReader(text))
						require.NoError(t, err)
					}
					require.NoError(t, layered.Remove(t.Context(), "a"))

					// Without the layer, both versions are still there. If the bucket was opened
					// with WithObjectLock, objects can have a legal hold.
					withoutLayer := open(storage.WithVersioning(true))
					if tt.supportsHold {
						setLegalHold(t, withoutLayer)
					}
					require.Equal(t, 2, countVersions(t, withoutLayer, tt.listOpts...))
				})
			}
		}
	}
}
