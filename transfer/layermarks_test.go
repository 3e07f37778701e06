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

// A keeping store keeps what is removed. It can be opened with layers and without.
type keeping struct {
	name  string
	alone storage.Bucket
	with  func(driver.Layer) storage.Bucket
}

// newKeepingStores returns a bucket in memory and one in a directory, each with versions and with soft delete.
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
			alone := engine.New(d, way.opt)
			t.Cleanup(func() {
				require.NoError(t, storage.Close(alone))
			})
			all = append(all, keeping{
				name:  way.name + " in " + kind,
				alone: alone,
				with: func(layer driver.Layer) storage.Bucket {
					return engine.New(d, way.opt, driver.WithLayer(layer))
				},
			})
		}
	}
	return all
}

// An overlay that removed and moved objects is no longer in use. Neither Undelete nor RestoreAt restores its
// markers and tombstones as objects.
func TestUndeleteKeepsOverlayMarkersAway(t *testing.T) {
	for _, keepOld := range []bool{false, true} {
		for _, b := range newKeepingStores(t) {
			t.Run(fmt.Sprintf("%s, keep old %t", b.name, keepOld), func(t *testing.T) {
				old := memstore.New()
				for _, key := range []string{
					"moved", "removed before it moved", "removed after it moved", "written",
				} {
					put(t, old, key, "old "+key)
				}
				layer, err := overlay.New(old, overlay.Config{KeepOld: keepOld})
				require.NoError(t, err)
				both := b.with(layer)
				require.NoError(t, both.Remove(t.Context(), "removed before it moved"))
				_, err = overlay.Finish(t.Context(), both, overlay.FinishConfig{})
				require.NoError(t, err)
				put(t, both, "written", "new")
				require.NoError(t, both.Remove(t.Context(), "written"))
				require.NoError(t, both.Remove(t.Context(), "removed after it moved"))
				_, err = overlay.Finish(t.Context(), both, overlay.FinishConfig{RemoveTombstones: true})
				require.NoError(t, err)

				report, err := transfer.Undelete(t.Context(), b.alone)
				require.NoError(t, err)
				require.EqualValues(t, 2, report.Transferred)
				want := map[string]string{"moved": "old moved", "written": "new",
					"removed after it moved": "old removed after it moved"}
				require.Equal(t, want, contents(t, b.alone))
				if storage.Supports(b.alone, storage.Versioning) && strings.HasPrefix(b.name, "versions") {
					_, err = transfer.RestoreAt(t.Context(), b.alone, time.Now())
					require.NoError(t, err)
					require.Equal(t, want, contents(t, b.alone))
				}
			})
		}
	}
}

// RestoreAt never makes an object of an overlay's marker, whatever moment of the overlay's work it restores.
func TestRestoreAtOfAnOverlay(t *testing.T) {
	for _, b := range newKeepingStores(t) {
		if !strings.HasPrefix(b.name, "versions") {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			old := memstore.New()
			put(t, old, "photo", "the photo")
			layer, err := overlay.New(old, overlay.Config{})
			require.NoError(t, err)
			both := b.with(layer)
			_, err = overlay.Finish(t.Context(), both, overlay.FinishConfig{})
			require.NoError(t, err)
			require.NoError(t, both.Remove(t.Context(), "photo"))
			var moments []time.Time
			for v, err := range storage.Versions(t.Context(), b.alone) {
				require.NoError(t, err)
				moments = append(moments, v.Modified)
			}

			require.Greater(t, len(moments), 1)
			for _, when := range moments {
				_, err := transfer.RestoreAt(t.Context(), b.alone, when)
				require.NoError(t, err)
				for key, text := range contents(t, b.alone) {
					require.Equal(t, "the photo", text, "%s at %s", key, when)
				}
			}
		})
	}
}

// Each write to a mirror leaves an old version of a note. Undelete restores no note as an object.
func TestUndeleteKeepsMirrorNotesAway(t *testing.T) {
	for _, store := range newKeepingStores(t) {
		t.Run(store.name, func(t *testing.T) {
			layer, err := mirror.New(memstore.New(), mirror.Config{})
			require.NoError(t, err)
			mirrored := store.with(layer)
			for n := range 5 {
				put(t, mirrored, fmt.Sprint(n), "text")
			}
			require.NoError(t, mirrored.Remove(t.Context(), "1"))
			_, err = mirror.RepairAll(t.Context(), mirrored)
			require.NoError(t, err)

			report, err := transfer.Undelete(t.Context(), store.alone)
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
	dst := memstore.New()
	for _, key := range []string{note, tombstone, clock, "a", "deep/" + note} {
		put(t, src, key, "text")
	}
	put(t, dst, otherNote, "stays")

	_, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), transfer.WithDelete())
	require.NoError(t, err)
	require.Equal(t, map[string]string{otherNote: "stays", "a": "text", "deep/" + note: "text"}, contents(t, dst))

	compared, err := transfer.Compare(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), nil)
	require.NoError(t, err)
	require.True(t, compared.Equal())

	_, err = transfer.Remove(t.Context(), src)
	require.NoError(t, err)
	require.Equal(t, map[string]string{note: "text", tombstone: "text", clock: "text"}, contents(t, src))

	_, err = transfer.Remove(t.Context(), src, transfer.WithPrefix(mirror.NotesPrefix))
	require.NoError(t, err)
	require.Equal(t, map[string]string{tombstone: "text", clock: "text"}, contents(t, src))
}

// If a removal through an overlay was interrupted, its marker is in the new store. A job that copies only that
// store does not replace a file by the marker.
func TestJobsLeaveOutTheMarkersOfAnOverlay(t *testing.T) {
	for _, kind := range []string{"bucket", "directory"} {
		t.Run(kind, func(t *testing.T) {
			failing := faults.New(faults.Fail(faults.Delete))
			old := memstore.New(driver.WithLayer(failing.Layer()),
				storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
			put(t, old, "photo", "the photo")
			layer, err := overlay.New(old, overlay.Config{})
			require.NoError(t, err)

			d := memstore.NewDriver(memstore.Config{})
			require.Error(t, engine.New(d, driver.WithLayer(layer),
				storage.WithRetry(storage.RetryPolicy{Attempts: 1})).Remove(t.Context(), "photo"))

			alone := engine.New(d)
			put(t, alone, "like a marker",
				strings.Repeat("x", int(objectkey.OverlayMarkerSize("like a marker"))))
			dir := newTree(t, map[string]string{"photo": "the photo"})
			b := memstore.New()
			put(t, b, "photo", "the photo")
			dst := transfer.Bucket(b)
			if kind == "directory" {
				dst = transfer.Dir(dir)
			}
			report, err := transfer.Sync(t.Context(), dst, transfer.Bucket(alone), transfer.WithDelete())
			require.NoError(t, err)
			require.EqualValues(t, 1, report.Ignored)
			require.EqualValues(t, 1, report.Transferred)

			photo, err := os.ReadFile(filepath.Join(dir, "photo"))
			require.NoError(t, err)
			require.Equal(t, "the photo", string(photo))
			require.Equal(t, "the photo", contents(t, b)["photo"])
		})
	}
}
