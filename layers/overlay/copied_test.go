package overlay_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A marker says that a removal has begun. An interrupted removal has left a marker in an overlay's new store, and a
// second overlay uses a copy of this store. There, the marker removes no object.
func TestMarkerThatWasCopiedRemovesNothing(t *testing.T) {
	for name, c := range map[string]overlay.Config{"by default": {}, "CopyOnRead": {CopyOnRead: true}} {
		t.Run(name, func(t *testing.T) {
			// A removal through the first overlay is interrupted, and leaves a marker.
			noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
			injector := faults.New()
			firstOld := memstore.New(driver.WithLayer(injector.Layer()), noRetry)
			put(t, firstOld, "a", "the old one")
			firstDriver := memstore.NewDriver(memstore.Config{})
			first := engine.New(firstDriver, driver.WithLayer(newLayer(t, firstOld, c)), noRetry)
			injector.Set(faults.Fail(faults.Delete))
			require.Error(t, first.Remove(t.Context(), "a"))
			injector.Set()

			// The marker is copied to the new store of the second overlay.
			secondOld := memstore.New()
			put(t, secondOld, "a", "precious")
			secondDriver := memstore.NewDriver(memstore.Config{})
			second := engine.New(secondDriver, driver.WithLayer(newLayer(t, secondOld, c)))
			ctx := driver.WithLayerMetadata(t.Context())
			_, err := storage.Copy(ctx, engine.New(secondDriver), "a", engine.New(firstDriver), "a")
			require.NoError(t, err)

			// In the second overlay, the marker hides the object, but removes nothing.
			_, _, err = storage.ReadAll(t.Context(), second, "a")
			require.ErrorIs(t, err, storage.ObjectNotFound)
			report, err := overlay.Finish(t.Context(), second, overlay.FinishConfig{})
			require.NoError(t, err)
			require.Equal(t, overlay.Report{Markers: 1}, report)
			require.Equal(t, map[string]string{"a": "precious"}, contentsOf(t, secondOld))

			// When the marker of the interrupted removal is removed, the object moves to the new store.
			removed, err := overlay.RemoveMarkers(t.Context(), second)
			require.NoError(t, err)
			require.EqualValues(t, 1, removed)
			_, err = overlay.Finish(t.Context(), second, overlay.FinishConfig{})
			require.NoError(t, err)
			require.Equal(t, map[string]string{"a": "precious"}, contentsOf(t, engine.New(secondDriver)))

			// Finish of the first overlay completes the removal that was interrupted.
			_, err = overlay.Finish(t.Context(), first, overlay.FinishConfig{})
			require.NoError(t, err)
			require.Empty(t, contentsOf(t, firstOld))
			require.Empty(t, contentsOf(t, engine.New(firstDriver)))
		})
	}
}

// RemoveMarkers counts only the markers that it has removed.
func TestRemoveMarkersCountsRemovedOnes(t *testing.T) {
	noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
	inOld := faults.New()
	old := memstore.New(driver.WithLayer(inOld.Layer()), noRetry)
	put(t, old, "a", "old")
	inNew := faults.New()
	b := memstore.New(driver.WithLayer(inNew.Layer()), driver.WithLayer(newLayer(t, old, overlay.Config{})), noRetry)

	// An interrupted removal leaves a marker.
	inOld.Set(faults.Fail(faults.Delete))
	require.Error(t, b.Remove(t.Context(), "a"))
	inOld.Set()

	// The marker cannot be removed at first.
	inNew.Set(faults.Fail(faults.Delete))
	removed, err := overlay.RemoveMarkers(t.Context(), b)
	require.Error(t, err)
	require.Zero(t, removed)
	inNew.Set()

	removed, err = overlay.RemoveMarkers(t.Context(), b)
	require.NoError(t, err)
	require.EqualValues(t, 1, removed)
}
