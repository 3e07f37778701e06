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

// An interrupted removal has left a marker in the new store. A copy of that store becomes the new store of another
// overlay. Neither reads nor Finish nor RemoveMarkers remove an object of that overlay's old store because of the
// copied marker.
func TestMarkerThatWasCopiedRemovesNothing(t *testing.T) {
	for name, c := range map[string]overlay.Config{"by default": {}, "CopyOnRead": {CopyOnRead: true}} {
		t.Run(name, func(t *testing.T) {
			failing := faults.New()
			old := memstore.New(driver.WithLayer(failing.Layer()), storage.WithRetry(storage.RetryPolicy{
				Attempts: 1,
			}))
			put(t, old, "a", "the old one")
			first := memstore.NewDriver(memstore.Config{})
			second := memstore.NewDriver(memstore.Config{})
			both := engine.New(first, driver.WithLayer(newLayer(t, old, c)),
				storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
			failing.Set(faults.Fail(faults.Delete))

			require.Error(t, both.Remove(t.Context(), "a"))
			failing.Set()

			ctx := driver.WithLayerMetadata(t.Context())
			_, err := storage.Copy(ctx, engine.New(second), "a", engine.New(first), "a")
			require.NoError(t, err)
			other := memstore.New()
			put(t, other, "a", "precious")
			dst := engine.New(second, driver.WithLayer(newLayer(t, other, c)))

			_, _, err = storage.ReadAll(t.Context(), dst, "a")
			require.ErrorIs(t, err, storage.ObjectNotFound)
			report, err := overlay.Finish(t.Context(), dst, overlay.FinishConfig{})
			require.NoError(t, err)
			require.Equal(t, overlay.Report{Markers: 1}, report)
			require.Equal(t, map[string]string{"a": "precious"}, contentsOf(t, other))

			n, err := overlay.RemoveMarkers(t.Context(), dst)
			require.NoError(t, err)
			require.EqualValues(t, 1, n)

			_, err = overlay.Finish(t.Context(), dst, overlay.FinishConfig{})
			require.NoError(t, err)
			require.Equal(t, map[string]string{"a": "precious"}, contentsOf(t, engine.New(second)))

			_, err = overlay.Finish(t.Context(), both, overlay.FinishConfig{})
			require.NoError(t, err)
			require.Empty(t, contentsOf(t, old), "the removal ends where it was begun")
			require.Empty(t, contentsOf(t, engine.New(first)))
		})
	}
}
