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

// If the encryption is above a mirror, both stores have the header of an object. So one store is
// enough to decrypt the object.
func TestLayerAboveMirror(t *testing.T) {
	encrypted := newLayer(t, newKeys(t))
	second := memstore.NewDriver(memstore.Config{})
	mirrored, err := mirror.New(engine.New(second), mirror.Config{})
	require.NoError(t, err)
	inPrimary := faults.New()
	bothStores := memstore.New(driver.WithLayer(inPrimary.Layer()), driver.WithLayer(mirrored),
		driver.WithLayer(encrypted))
	mustUpload(t, bothStores, "a", "secret")

	inPrimary.Set(faults.Fail(faults.Any))
	data, _, err := storage.ReadAll(t.Context(), bothStores, "a")
	require.NoError(t, err, "while the primary is down")
	require.Equal(t, "secret", string(data))

	onlySecond := engine.New(second, driver.WithLayer(encrypted))
	data, _, err = storage.ReadAll(t.Context(), onlySecond, "a")
	require.NoError(t, err, "the second store without the mirror")
	require.Equal(t, "secret", string(data))
}

// newBucketsOfAccount returns two buckets of one account, which can copy objects between them.
func newBucketsOfAccount(t *testing.T) (first, second driver.Driver) {
	t.Helper()
	account := memstore.NewServiceDriver(memstore.ServiceConfig{})
	for _, name := range []string{"first", "second"} {
		_, err := account.CreateBucket(t.Context(), &driver.BucketRequest{Name: name})
		require.NoError(t, err)
	}
	first, err := account.Driver("first")
	require.NoError(t, err)
	second, err = account.Driver("second")
	require.NoError(t, err)
	return first, second
}

// withOverlay returns the option of an overlay over an old store.
func withOverlay(t *testing.T, old storage.Bucket) storage.OpenOption {
	t.Helper()
	layer, err := overlay.New(old, overlay.Config{})
	require.NoError(t, err)
	return driver.WithLayer(layer)
}

// Objects remain readable when encryption and an overlay are combined, in either order.
func TestLayerAboveOverlay(t *testing.T) {
	tests := []struct {
		name         string
		isOneAccount bool // both stores are buckets of one account
		isAbove      bool // the encryption is above the overlay, in place of below it in each store
	}{
		{name: "above", isAbove: true},
		{name: "above, in one account", isAbove: true, isOneAccount: true},
		{name: "below, in each store", isAbove: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			oldDriver := memstore.NewDriver(memstore.Config{})
			newDriver := memstore.NewDriver(memstore.Config{})
			if tt.isOneAccount {
				oldDriver, newDriver = newBucketsOfAccount(t)
			}

			// The old store has an encrypted object.
			encrypted := driver.WithLayer(newLayer(t, newKeys(t)))
			mustUpload(t, engine.New(oldDriver, encrypted), "a", "secret")

			// Finish gets the bucket whose uppermost layer is the overlay.
			var bucket, forFinish storage.Bucket
			if tt.isAbove {
				overlaid := withOverlay(t, engine.New(oldDriver))
				forFinish = engine.New(newDriver, overlaid)
				bucket = engine.New(newDriver, overlaid, encrypted)
			} else {
				overlaid := withOverlay(t, engine.New(oldDriver, encrypted))
				forFinish = engine.New(newDriver, encrypted, overlaid)
				bucket = forFinish
			}
			data, _, err := storage.ReadAll(t.Context(), bucket, "a")
			require.NoError(t, err, "in the old store")
			require.Equal(t, "secret", string(data))

			// After Finish, the new store returns the object without the overlay.
			_, err = overlay.Finish(t.Context(), forFinish, overlay.FinishConfig{})
			require.NoError(t, err)
			data, _, err = storage.ReadAll(t.Context(), engine.New(newDriver, encrypted), "a")
			require.NoError(t, err, "in the new store")
			require.Equal(t, "secret", string(data))
		})
	}
}

// A Finish that was killed leaves a marker of an overlay in the new store. Rewrap does not change
// this marker: reads and Finish still work.
func TestRewrapLeavesMarkersOfOverlay(t *testing.T) {
	ctx := t.Context()
	encrypted := driver.WithLayer(newLayer(t, newKeys(t)))
	d := memstore.NewDriver(memstore.Config{})
	old := memstore.New()
	mustUpload(t, old, "a", "secret")
	layer, err := overlay.New(old, overlay.Config{})
	require.NoError(t, err)

	// Finish stores a marker. Then it fails twice: its second Put should replace the marker by the
	// object, and its Delete should remove the marker.
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
