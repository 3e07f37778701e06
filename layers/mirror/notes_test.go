package mirror_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/memstore"
)

// gone returns the bucket of a store that does not answer.
func gone(d driver.Driver) storage.Bucket {
	dead := &dying{from: 1}
	return engine.New(d, driver.WithLayer(dead.layer), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
}

// RepairAll does not revert later writes because of the notes in a restored snapshot of the primary,
// which are of writes that were in progress then.
func TestNotesOfSnapshotRevertNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		primary := memstore.NewDriver(memstore.Config{})
		second := memstore.NewDriver(memstore.Config{})
		b := newMirror(t, primary, engine.New(second))
		put(t, b, "other", "in both")
		_, err := mirror.RepairAll(t.Context(), b)
		require.NoError(t, err)
		time.Sleep(time.Second)

		// A snapshot is made while the second store is gone, so that it has notes.
		down := newMirror(t, primary, gone(second))
		put(t, down, "a", "of the snapshot")
		require.NoError(t, down.Remove(t.Context(), "b"))
		snapshot := memstore.New()
		copyRaw(t, snapshot, engine.New(primary))
		_, err = mirror.Repair(t.Context(), b)
		require.NoError(t, err)

		// Later writes reach both stores, and the notes end.
		time.Sleep(2 * time.Hour)
		put(t, b, "a", "written since")
		put(t, b, "b", "written since")
		_, err = mirror.Repair(t.Context(), b)
		require.NoError(t, err)

		// Then the snapshot is restored.
		want := contentsOf(t, engine.New(second))
		for _, key := range []string{"a", "b"} {
			require.NoError(t, engine.New(primary).Remove(t.Context(), key))
		}
		put(t, engine.New(primary), "a", "of the snapshot")
		copyRaw(t, engine.New(primary), newNotesOnly(t, snapshot))

		report, err := mirror.RepairAll(t.Context(), b)
		require.ErrorIs(t, err, storage.PreconditionFailed)
		require.EqualValues(t, 2, report.Undecided)
		require.Equal(t, want, contentsOf(t, engine.New(second)))
	})
}

// newNotesOnly returns a store with the notes of another one.
func newNotesOnly(t *testing.T, src storage.Bucket) storage.Bucket {
	t.Helper()
	dst := memstore.New()
	copyRaw(t, dst, src, storage.WithPrefix(mirror.NotesPrefix))
	return dst
}

// RepairAll reports an object as undecided, and replaces nothing, if both stores have a note of it,
// because their roles were swapped twice without RepairAll in between.
func TestNotesOfTwoSwapsDecideNothing(t *testing.T) {
	runOnEachKind(t, func(t *testing.T, primary, second driver.Driver, b storage.Bucket) {
		put(t, newMirror(t, primary, gone(second)), "old/1", "written first")
		put(t, newMirror(t, second, gone(primary)), "old/1", "written last")

		report, err := mirror.RepairAll(t.Context(), b)
		require.ErrorIs(t, err, storage.PreconditionFailed)
		require.EqualValues(t, 1, report.Undecided)
		require.Equal(t, "written last", contentsOf(t, engine.New(second))["old/1"])

		// The caller decides for the second store.
		swapped := newMirror(t, second, engine.New(primary))
		_, err = mirror.RepairAll(t.Context(), swapped, mirror.WithPrimaryRight())
		require.NoError(t, err)
		_, err = mirror.RepairAll(t.Context(), b)
		require.NoError(t, err)
		require.Equal(t, "written last", contentsOf(t, engine.New(primary))["old/1"])
	})
}

// RepairAll reports an object as undecided, and restores nothing, if the primary may have removed it
// between two swaps without RepairAll.
func TestNotesOfTwoSwapsKeepRemoval(t *testing.T) {
	runOnEachKind(t, func(t *testing.T, primary, second driver.Driver, b storage.Bucket) {
		require.NoError(t, newMirror(t, primary, gone(second)).Remove(t.Context(), "old/1"))
		put(t, newMirror(t, second, gone(primary)), "old/1", "written last")

		report, err := mirror.RepairAll(t.Context(), b)
		require.ErrorIs(t, err, storage.PreconditionFailed)
		require.EqualValues(t, 1, report.Undecided)
		require.NotContains(t, contentsOf(t, engine.New(primary)), "old/1")
		require.Equal(t, "written last", contentsOf(t, engine.New(second))["old/1"])
	})
}

// A hookedDriver calls a function before the first Put of a key.
type hookedDriver struct {
	driver.Driver
	key       string
	beforePut func()
	calls     atomic.Int64
}

// Put calls beforePut before the first Put of the key.
func (d *hookedDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	if r.Key == d.key && d.calls.Add(1) == 1 {
		d.beforePut()
	}
	return d.Driver.Put(ctx, r)
}

// RepairAll in swapped roles keeps the notes of concurrent writes, so that a later RepairAll removes
// none of these writes.
func TestNotesDuringRepairAllStay(t *testing.T) {
	runOnEachKind(t, func(t *testing.T, primary, second driver.Driver, b storage.Bucket) {
		hooked := &hookedDriver{
			Driver: primary,
			key:    mirror.NotesPrefix + "clock",
			beforePut: func() {
				put(t, newMirror(t, second, gone(primary)), "a", "precious")
				waitForLaterTime(t)
			},
		}

		_, err := mirror.RepairAll(t.Context(), newMirror(t, hooked, engine.New(second)))
		require.NoError(t, err)

		waitForLaterTime(t)
		_, err = mirror.RepairAll(t.Context(), b)
		require.NoError(t, err)

		require.Equal(t, "precious", contentsOf(t, engine.New(second))["a"])
		require.Equal(t, "precious", contentsOf(t, engine.New(primary))["a"])
	})
}
