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

// unavailableBucket returns the bucket of a store that does not answer.
func unavailableBucket(d driver.Driver) storage.Bucket {
	dead := &dying{from: 1}
	return engine.New(d, driver.WithLayer(dead.layer), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
}

// A mirror keeps a note of a write in the primary as long as the second store may lack the write.
// Repair copies each object of which there is a note. A restored snapshot of the primary may have
// outdated notes. Because of these, RepairAll must not revert later writes.
func TestNotesOfSnapshotRevertNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Both stores are equal at first.
		primary := memstore.NewDriver(memstore.Config{})
		second := memstore.NewDriver(memstore.Config{})
		b := newMirror(t, primary, engine.New(second))
		put(t, b, "other", "in both")
		_, err := mirror.RepairAll(t.Context(), b)
		require.NoError(t, err)
		time.Sleep(time.Second)

		// A snapshot is made while the second store is gone. So the snapshot has notes, which say which writes the
		// second store lacks.
		down := newMirror(t, primary, unavailableBucket(second))
		put(t, down, "a", "of the snapshot")
		require.NoError(t, down.Remove(t.Context(), "b"))
		snapshot := memstore.New()
		copyRaw(t, snapshot, engine.New(primary))
		_, err = mirror.Repair(t.Context(), b)
		require.NoError(t, err)

		// Later writes reach both stores, and Repair removes the notes.
		time.Sleep(2 * time.Hour)
		put(t, b, "a", "written since")
		put(t, b, "b", "written since")
		_, err = mirror.Repair(t.Context(), b)
		require.NoError(t, err)

		// Then the snapshot is restored: the object "a" is the old one, "b" is missing, and the notes are there again.
		want := contentsOf(t, engine.New(second))
		for _, key := range []string{"a", "b"} {
			require.NoError(t, engine.New(primary).Remove(t.Context(), key))
		}
		put(t, engine.New(primary), "a", "of the snapshot")
		copyRaw(t, engine.New(primary), newNotesOnly(t, snapshot))

		// RepairAll cannot know which store is right about "a" and "b", and changes neither.
		report, err := mirror.RepairAll(t.Context(), b)
		require.ErrorIs(t, err, storage.PreconditionFailed)
		require.EqualValues(t, 2, report.Undecided)
		require.Equal(t, want, contentsOf(t, engine.New(second)))
	})
}

// newNotesOnly returns a store with copies of the notes of another store, and without its objects.
// A note says which write a store may lack.
func newNotesOnly(t *testing.T, src storage.Bucket) storage.Bucket {
	t.Helper()
	dst := memstore.New()
	copyRaw(t, dst, src, storage.WithPrefix(mirror.NotesPrefix))
	return dst
}

// If the roles of two stores were swapped twice without RepairAll in between, each store may note a
// write that the other lacks. If both notes are of one object, RepairAll reports it as undecided,
// and replaces nothing.
func TestNotesOfTwoSwapsDecideNothing(t *testing.T) {
	runWithEqualStores(t, func(t *testing.T, primary, second driver.Driver, b storage.Bucket) {
		// Each write leaves a note in the store that is the primary then, because the other store does not answer.
		put(t, newMirror(t, primary, unavailableBucket(second)), "old/1", "written first")
		put(t, newMirror(t, second, unavailableBucket(primary)), "old/1", "written last")

		report, err := mirror.RepairAll(t.Context(), b)
		require.ErrorIs(t, err, storage.PreconditionFailed)
		require.EqualValues(t, 1, report.Undecided)
		require.Equal(t, "written last", contentsOf(t, engine.New(second))["old/1"])

		// The caller decides that the second store is right.
		swapped := newMirror(t, second, engine.New(primary))
		_, err = mirror.RepairAll(t.Context(), swapped, mirror.WithPrimaryRight())
		require.NoError(t, err)
		_, err = mirror.RepairAll(t.Context(), b)
		require.NoError(t, err)
		require.Equal(t, "written last", contentsOf(t, engine.New(primary))["old/1"])
	})
}

// The roles of the two stores are swapped twice without RepairAll in between, and the primary may have removed an
// object meanwhile. RepairAll reports this object as undecided, and restores nothing.
func TestNotesOfTwoSwapsKeepRemoval(t *testing.T) {
	runWithEqualStores(t, func(t *testing.T, primary, second driver.Driver, b storage.Bucket) {
		require.NoError(t, newMirror(t, primary, unavailableBucket(second)).Remove(t.Context(), "old/1"))
		put(t, newMirror(t, second, unavailableBucket(primary)), "old/1", "written last")

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

// RepairAll in swapped roles keeps the notes of concurrent writes. So a later RepairAll removes
// none of these writes.
func TestNotesDuringRepairAllStay(t *testing.T) {
	runWithEqualStores(t, func(t *testing.T, primary, second driver.Driver, b storage.Bucket) {
		// RepairAll writes the object "clock" after it has compared the stores. Just then, another
		// process writes through a mirror with swapped roles: its primary is the store second, and
		// it cannot reach the store primary. So the note of its write stays in second.
		hooked := &hookedDriver{
			Driver: primary,
			key:    mirror.NotesPrefix + "clock",
			beforePut: func() {
				put(t, newMirror(t, second, unavailableBucket(primary)), "a", "precious")
				waitForLaterTime(t)
			},
		}
		_, err := mirror.RepairAll(t.Context(), newMirror(t, hooked, engine.New(second)))
		require.NoError(t, err)

		// The note shows the next RepairAll that the object in second is the later one.
		waitForLaterTime(t)
		_, err = mirror.RepairAll(t.Context(), b)
		require.NoError(t, err)

		require.Equal(t, "precious", contentsOf(t, engine.New(second))["a"])
		require.Equal(t, "precious", contentsOf(t, engine.New(primary))["a"])
	})
}
