package encrypt_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/encrypt"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A layer above a mirror stores the header of an object, which decryption needs, in both stores.
func TestLayerAboveMirror(t *testing.T) {
	encrypted := newLayer(t, newKeys(t))
	second := memstore.NewDriver(memstore.Config{})
	mirrored, err := mirror.New(engine.New(second), mirror.Config{})
	require.NoError(t, err)
	inPrimary := faults.New()
	b := memstore.New(driver.WithLayer(inPrimary.Layer()), driver.WithLayer(mirrored),
		driver.WithLayer(encrypted))
	mustUpload(t, b, "a", "secret")
	inPrimary.Set(faults.Fail(faults.Any))

	for name, b := range map[string]storage.Bucket{
		"while the primary is down":           b,
		"the second store without the mirror": engine.New(second, driver.WithLayer(encrypted)),
	} {
		data, _, err := storage.ReadAll(t.Context(), b, "a")
		require.NoError(t, err, name)
		require.Equal(t, "secret", string(data), name)
	}
}

// Objects remain readable when encryption and an overlay are combined, in either order.
func TestLayerAboveOverlay(t *testing.T) {
	tests := []struct {
		name         string
		service      bool // both stores are in one account, which copies itself
		below, above bool // where the encryption is
	}{
		{name: "above", above: true},
		{name: "above, in one account", above: true, service: true},
		{name: "below, in each store", below: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx := t.Context()
			encrypted := driver.WithLayer(newLayer(t, newKeys(t)))
			stores := [2]driver.Driver{
				memstore.NewDriver(memstore.Config{}), memstore.NewDriver(memstore.Config{}),
			}
			if tt.service {
				account := memstore.NewServiceDriver(memstore.ServiceConfig{})
				for i, name := range []string{"old", "new"} {
					_, err := account.CreateBucket(ctx, &driver.BucketRequest{Name: name})
					require.NoError(t, err)
					stores[i], err = account.Driver(name)
					require.NoError(t, err)
				}
			}

			// The old store has an encrypted object.
			alone := func(d driver.Driver) storage.Bucket { return engine.New(d, encrypted) }
			mustUpload(t, alone(stores[0]), "a", "secret")

			// The layer encrypt is either below the overlay, in each store, or above it.
			old := engine.New(stores[0])
			opts := []storage.OpenOption{}
			if tt.below {
				old = alone(stores[0])
				opts = append(opts, encrypted)
			}
			layer, err := overlay.New(old, overlay.Config{})
			require.NoError(t, err)
			below := engine.New(stores[1], append(opts, driver.WithLayer(layer))...)
			b := below
			if tt.above {
				b = engine.New(stores[1], driver.WithLayer(layer), encrypted)
			}

			data, _, err := storage.ReadAll(ctx, b, "a")
			require.NoError(t, err, "in the old store")
			require.Equal(t, "secret", string(data))

			// After Finish, the new store returns the object without the overlay.
			_, err = overlay.Finish(ctx, below, overlay.FinishConfig{})
			require.NoError(t, err)
			data, _, err = storage.ReadAll(ctx, alone(stores[1]), "a")
			require.NoError(t, err, "in the new store")
			require.Equal(t, "secret", string(data))
		})
	}
}

// Rewrap does not change the marker of an overlay that a killed Finish has left in the new store: reads
// and Finish still work.
func TestRewrapLeavesMarkersOfOverlay(t *testing.T) {
	ctx := t.Context()
	encrypted := driver.WithLayer(newLayer(t, newKeys(t)))
	d := memstore.NewDriver(memstore.Config{})
	old := memstore.New()
	mustUpload(t, old, "a", "secret")
	layer, err := overlay.New(old, overlay.Config{})
	require.NoError(t, err)

	// Finish puts a marker, and then fails to replace it by the object (the second Put) and to remove it.
	killed := faults.New(
		faults.Fail(faults.Put).Nth(2).WithError(storage.PermissionDenied),
		faults.Fail(faults.Delete).WithError(storage.PermissionDenied),
	)
	interrupted := engine.New(d, driver.WithLayer(killed.Layer()), encrypted, driver.WithLayer(layer))
	_, err = overlay.Finish(ctx, interrupted, overlay.FinishConfig{})
	require.ErrorIs(t, err, storage.PermissionDenied)

	// The marker of Finish is the only object in the store.
	_, err = encrypt.Rewrap(ctx, engine.New(d, encrypted), "a")
	require.NoError(t, err)

	b := engine.New(d, encrypted, driver.WithLayer(layer))
	// Read the object before a Finish and after it.
	for range 2 {
		data, _, err := storage.ReadAll(ctx, b, "a")
		require.NoError(t, err)
		require.Equal(t, "secret", string(data))
		_, err = overlay.Finish(ctx, b, overlay.FinishConfig{})
		require.NoError(t, err)
	}
}
