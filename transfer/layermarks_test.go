package transfer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
)

// A keeping is a store that keeps removed objects.
type keeping struct {
	name         string
	withoutLayer storage.Bucket                    // the store itself
	open         func(driver.Layer) storage.Bucket // opens the store with a layer
}

// newKeepingStores returns a bucket in memory and one in a directory, each twice: with versions,
// and with soft delete.
func newKeepingStores(t *testing.T) (all []keeping) {
	t.Helper()
	ways := []struct {
		name string
		opt  storage.OpenOption
	}{
		{name: "versions", opt: storage.WithVersioning(true)},
		{name: "soft delete", opt: storage.WithSoftDelete(time.Hour)},
	}
	for _, way := range ways {
		memory := memstore.NewDriver(memstore.Config{})
		directory, err := local.NewDriver(t.TempDir(), local.Config{NoSync: true})
		require.NoError(t, err)
		for kind, d := range map[string]driver.Driver{"memory": memory, "directory": directory} {
			withoutLayer := engine.New(d, way.opt)
			t.Cleanup(func() {
				require.NoError(t, storage.Close(withoutLayer))
			})
			all = append(all, keeping{
				name:         way.name + " in " + kind,
				withoutLayer: withoutLayer,
				open: func(layer driver.Layer) storage.Bucket {
					return engine.New(d, way.opt, driver.WithLayer(layer))
				},
			})
		}
	}
	return all
}

// When an overlay is no longer in use, its markers and tombstones are left in the new store.
// Undelete and RestoreAt do not restore them as objects.
func TestUndeleteKeepsOverlayMarkersAway(t *testing.T) {
	for _, keepOld := range []bool{false, true} {
		for _, store := range newKeepingStores(t) {
			t.Run(fmt.Sprintf("%s, keep old %t", store.name, keepOld), func(t *testing.T) {
				oldStore := memstore.New()
				for _, key := range []string{"moved", "removed before it moved", "removed after it moved", "written"} {
					put(t, oldStore, key, "old "+key)
				}

				layer, err := overlay.New(oldStore, overlay.Config{KeepOld: keepOld})
				require.NoError(t, err)
				overlaid := store.open(layer)

				// Objects are written and removed before and after Finish. These writes leave markers and tombstones.
				require.NoError(t, overlaid.Remove(t.Context(), "removed before it moved"))
				_, err = overlay.Finish(t.Context(), overlaid, overlay.FinishConfig{})
				require.NoError(t, err)
				put(t, overlaid, "written", "new")
				require.NoError(t, overlaid.Remove(t.Context(), "written"))
				require.NoError(t, overlaid.Remove(t.Context(), "removed after it moved"))
				_, err = overlay.Finish(t.Context(), overlaid, overlay.FinishConfig{RemoveTombstones: true})
				require.NoError(t, err)

				// Without the layer, Undelete finds two removed objects: "written" and "removed
				// after it moved".
				report, err := transfer.Undelete(t.Context(), store.withoutLayer)
				require.NoError(t, err)
				require.EqualValues(t, 2, report.Transferred)
				want := map[string]string{
					"moved":                  "old moved",
					"written":                "new",
					"removed after it moved": "old removed after it moved",
				}
				require.Equal(t, want, contents(t, store.withoutLayer))

				// Only a store with versions can be restored to an earlier time.
				if storage.Supports(store.withoutLayer, storage.Versioning) && strings.HasPrefix(store.name, "versions") {
					_, err = transfer.RestoreAt(t.Context(), store.withoutLayer, time.Now())
					require.NoError(t, err)
					require.Equal(t, want, contents(t, store.withoutLayer))
				}
			})
		}
	}
}

// While an overlay moves objects from an old store to a new one, it writes small markers into the
// new store. RestoreAt of the new store never brings back a marker, whatever the time during the
// move.
func TestRestoreAtOfAnOverlay(t *testing.T) {
	// Some of these stores keep removed objects as versions, and the others by soft delete.
	for _, newStore := range newKeepingStores(t) {
		keepsVersions := strings.HasPrefix(newStore.name, "versions")
		if !keepsVersions {
			continue // RestoreAt needs versions
		}
		t.Run(newStore.name, func(t *testing.T) {
			// The overlay moves a photo to the new store. After that, the photo is removed.
			oldStore := memstore.New()
			put(t, oldStore, "photo", "the photo")
			layer, err := overlay.New(oldStore, overlay.Config{})
			require.NoError(t, err)
			overlaid := newStore.open(layer)
			_, err = overlay.Finish(t.Context(), overlaid, overlay.FinishConfig{})
			require.NoError(t, err)
			require.NoError(t, overlaid.Remove(t.Context(), "photo"))

			// The new store has versions of the photo and of its markers.
			var times []time.Time
			for version, err := range storage.Versions(t.Context(), newStore.withoutLayer) {
				require.NoError(t, err)
				times = append(times, version.Modified)
			}
			require.Greater(t, len(times), 1)

			// At the time of each version, the store has the photo or nothing.
			for _, when := range times {
				_, err := transfer.RestoreAt(t.Context(), newStore.withoutLayer, when)
				require.NoError(t, err)
				for key, text := range contents(t, newStore.withoutLayer) {
					require.Equal(t, "the photo", text, "%s at %s", key, when)
				}
			}
		})
	}
}

// The notes of a mirror are objects that record what it is about to write. Undelete does not
// restore notes.
func TestUndeleteKeepsMirrorNotesAway(t *testing.T) {
	for _, store := range newKeepingStores(t) {
		t.Run(store.name, func(t *testing.T) {
			layer, err := mirror.New(memstore.New(), mirror.Config{})
			require.NoError(t, err)

			// Six writes through the mirror leave removed notes in the store.
			mirrored := store.open(layer)
			for i := range 5 {
				put(t, mirrored, fmt.Sprint(i), "text")
			}
			require.NoError(t, mirrored.Remove(t.Context(), "1"))
			_, err = mirror.RepairAll(t.Context(), mirrored)
			require.NoError(t, err)

			// Without the layer, Undelete sees the notes as well as the object.
			report, err := transfer.Undelete(t.Context(), store.withoutLayer)
			require.NoError(t, err)
			require.EqualValues(t, 1, report.Transferred, "only the removed object")

			state, err := mirror.Status(t.Context(), mirrored)
			require.NoError(t, err)
			require.Zero(t, state.Notes)
		})
	}
}

// Jobs do not copy, compare or remove the internal objects of layers, unless WithPrefix names them.
func TestJobsLeaveOutTheObjectsOfLayers(t *testing.T) {
	const (
		note      = mirror.NotesPrefix + "pair"
		otherNote = mirror.NotesPrefix + "own"
		tombstone = overlay.TombstonesPrefix + "a"
		clock     = ".omnibucket-mirror-clock"
	)
	src := memstore.New()
	for _, key := range []string{note, tombstone, clock, "a", "deep/" + note} {
		put(t, src, key, "text")
	}

	dst := memstore.New()
	put(t, dst, otherNote, "stays")

	_, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), transfer.WithDelete())
	require.NoError(t, err)
	require.Equal(t, map[string]string{otherNote: "stays", "a": "text", "deep/" + note: "text"}, contents(t, dst))

	// The comparison sees no difference, although each bucket has internal objects that the other lacks.
	compared, err := transfer.Compare(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), nil)
	require.NoError(t, err)
	require.True(t, compared.Equal())

	// At the top of the bucket, Remove keeps the objects in which layers store their own state.
	_, err = transfer.Remove(t.Context(), src)
	require.NoError(t, err)
	require.Equal(t, map[string]string{note: "text", tombstone: "text", clock: "text"}, contents(t, src))

	// With WithPrefix and the prefix of the notes, Remove removes the notes.
	_, err = transfer.Remove(t.Context(), src, transfer.WithPrefix(mirror.NotesPrefix))
	require.NoError(t, err)
	require.Equal(t, map[string]string{tombstone: "text", clock: "text"}, contents(t, src))
}

// An interrupted removal through an overlay leaves a marker in the overlay's new store. A job that
// copies only this store does not replace a file at its destination by the marker.
func TestJobsLeaveOutTheMarkersOfAnOverlay(t *testing.T) {
	for _, kind := range []string{"bucket", "directory"} {
		t.Run(kind, func(t *testing.T) {
			// The removal through the overlay fails, because the old store cannot remove objects.
			noRetries := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
			failingDelete := driver.WithLayer(faults.New(faults.Fail(faults.Delete)).Layer())
			oldStore := memstore.New(failingDelete, noRetries)
			put(t, oldStore, "photo", "the photo")
			layer, err := overlay.New(oldStore, overlay.Config{})
			require.NoError(t, err)
			d := memstore.NewDriver(memstore.Config{})
			require.Error(t, engine.New(d, driver.WithLayer(layer), noRetries).Remove(t.Context(), "photo"))

			// Without the layer, the new store has the marker, and an object that only has the same
			// size as a marker.
			newStore := engine.New(d)
			markerSize := int(objectkey.OverlayMarkerSize("like a marker"))
			put(t, newStore, "like a marker", strings.Repeat("x", markerSize))

			// The destination has a copy of the object from the time before the removal.
			dir := newTree(t, map[string]string{"photo": "the photo"})
			b := memstore.New()
			put(t, b, "photo", "the photo")
			dst := transfer.Bucket(b)
			if kind == "directory" {
				dst = transfer.Dir(dir)
			}

			report, err := transfer.Sync(t.Context(), dst, transfer.Bucket(newStore), transfer.WithDelete())
			require.NoError(t, err)
			require.EqualValues(t, 1, report.Ignored, "the marker")
			require.EqualValues(t, 1, report.Transferred, "the object with its size")

			// The copy at the destination is intact. So is the other copy, which the job does not
			// touch.
			photo, err := os.ReadFile(filepath.Join(dir, "photo"))
			require.NoError(t, err)
			require.Equal(t, "the photo", string(photo))
			require.Equal(t, "the photo", contents(t, b)["photo"])
		})
	}
}
