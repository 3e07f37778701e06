package mirror_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/memstore"
)

// kindsOfStores open a new store of each kind that the tests use.
var kindsOfStores = map[string]func(t *testing.T) driver.Driver{
	"memory":    func(*testing.T) driver.Driver { return memstore.NewDriver(memstore.Config{}) },
	"directory": newDirectory,
}

// newMirror returns a mirror of two stores.
func newMirror(t *testing.T, primary driver.Driver, second storage.Bucket) storage.Bucket {
	return engine.New(primary, driver.WithLayer(newLayer(t, second, mirror.Config{})))
}

// runWithEqualStores runs a test with each kind of stores. The test gets a filled mirror, and RepairAll has made the
// stores equal.
func runWithEqualStores(t *testing.T, test func(t *testing.T, primary, second driver.Driver, b storage.Bucket)) {
	for kind, open := range kindsOfStores {
		t.Run(kind, func(t *testing.T) {
			primary := open(t)
			second := open(t)
			test(t, primary, second, newFilledMirror(t, primary, second))
		})
	}
}

// copyRaw copies the objects that the options list, including those that layers use themselves. A
// program that does not know these objects copies them in the same way.
func copyRaw(t *testing.T, dst, src storage.Bucket, opts ...storage.ListOption) {
	t.Helper()
	ctx := driver.WithLayerMetadata(t.Context())
	for entry, err := range src.List(ctx, opts...) {
		require.NoError(t, err)
		_, err = storage.Copy(ctx, dst, entry.Key, src, entry.Key)
		require.NoError(t, err)
	}
}

// removeAll removes all objects of a bucket.
func removeAll(t *testing.T, b storage.Bucket) {
	t.Helper()
	_, err := storage.RemoveMatching(t.Context(), b, nil)
	require.NoError(t, err)
}

// waitForLaterTime waits until a file of a directory has a later time.
func waitForLaterTime(t *testing.T) {
	t.Helper()
	const clockTick = 10 * time.Millisecond
	start := time.Now()
	isLater := func() bool { return time.Since(start) > clockTick }
	require.Eventually(t, isLater, time.Second, time.Millisecond)
}

// filledObjects is the number of objects of a filled mirror.
const filledObjects = 10

// newFilledMirror returns a mirror with objects "old/0", "old/1" and so on, which RepairAll has made equal.
func newFilledMirror(t *testing.T, primary, second driver.Driver) storage.Bucket {
	t.Helper()
	b := newMirror(t, primary, engine.New(second))
	for n := range filledObjects {
		put(t, b, fmt.Sprint("old/", n), fmt.Sprint("old ", n))
	}
	waitForLaterTime(t)
	_, err := mirror.RepairAll(t.Context(), b)
	require.NoError(t, err)
	waitForLaterTime(t)
	return b
}

// A restoredMirror is a mirror whose primary somebody replaces or restores.
type restoredMirror struct {
	t        *testing.T
	newStore func(t *testing.T) driver.Driver
	primary  driver.Driver
	second   driver.Driver
	snapshot storage.Bucket // the primary before the last writes
}

// newRestoredMirror returns a mirror with a snapshot of its primary. Later writes of the mirror are
// not in the snapshot.
func newRestoredMirror(t *testing.T, newStore func(t *testing.T) driver.Driver) *restoredMirror {
	m := &restoredMirror{
		t:        t,
		newStore: newStore,
		primary:  newStore(t),
		second:   newStore(t),
		snapshot: memstore.New(),
	}
	b := newFilledMirror(t, m.primary, m.second)
	copyRaw(t, m.snapshot, engine.New(m.primary))
	for n := range filledObjects {
		put(t, b, fmt.Sprint("today/", n), fmt.Sprint("today ", n))
		if n%2 == 0 {
			put(t, b, fmt.Sprint("old/", n), fmt.Sprint("changed today ", n))
		}
	}
	return m
}

// newCopy returns a new store with the objects of src that the options list.
func (m *restoredMirror) newCopy(src storage.Bucket, opts ...storage.ListOption) driver.Driver {
	d := m.newStore(m.t)
	copyRaw(m.t, engine.New(d), src, opts...)
	return d
}

// restoreSnapshot replaces all objects of the primary by objects of the snapshot: those that the
// options list.
func (m *restoredMirror) restoreSnapshot(opts ...storage.ListOption) {
	removeAll(m.t, engine.New(m.primary))
	copyRaw(m.t, engine.New(m.primary), m.snapshot, opts...)
}

// After a loss of the primary, somebody may give a mirror a wrong primary, such as an old backup. RepairAll is
// refused then, and removes and replaces nothing in the second store, which may have the only copies.
func TestRepairAllTakesNothingFromTheStoreThatSurvived(t *testing.T) {
	interrupted := storage.WithLimit(4) // a copy that ends after four objects
	tests := []struct {
		name string
		// changePrimary puts a new store in place of the primary, or replaces its objects.
		changePrimary func(m *restoredMirror)
	}{
		{
			name: "a new store, with some objects of the second store",
			changePrimary: func(m *restoredMirror) {
				m.primary = m.newCopy(engine.New(m.second), storage.WithLimit(3))
			},
		},
		{
			name: "a new store, with some objects of the primary",
			changePrimary: func(m *restoredMirror) {
				m.primary = m.newCopy(engine.New(m.primary), interrupted)
			},
		},
		{
			name: "a new store, with an older backup of the primary",
			changePrimary: func(m *restoredMirror) {
				m.primary = m.newCopy(m.snapshot)
			},
		},
		{
			name:          "the primary, restored from an older snapshot",
			changePrimary: func(m *restoredMirror) { m.restoreSnapshot() },
		},
		{
			name:          "the primary, during a restore of an older snapshot",
			changePrimary: func(m *restoredMirror) { m.restoreSnapshot(interrupted) },
		},
		{
			name: "the primary, whose objects somebody removed",
			changePrimary: func(m *restoredMirror) {
				for key := range contentsOf(m.t, engine.New(m.primary)) {
					require.NoError(m.t, engine.New(m.primary).Remove(m.t.Context(), key))
				}
			},
		},
		{
			name: "a new store, with one object written through the mirror",
			changePrimary: func(m *restoredMirror) {
				m.primary = m.newStore(m.t)
				put(m.t, newMirror(m.t, m.primary, engine.New(m.second)), "new", "text")
			},
		},
	}
	for _, tt := range tests {
		for kind, newStore := range kindsOfStores {
			t.Run(tt.name+", "+kind, func(t *testing.T) {
				// Both stores have the same objects, and m.snapshot has older objects of the primary.
				m := newRestoredMirror(t, newStore)
				tt.changePrimary(m)
				second := engine.New(m.second)
				contentsBefore := contentsOf(t, second)
				require.GreaterOrEqual(t, len(contentsBefore), 2*filledObjects)

				// A second attempt is refused, too.
				for range 2 {
					_, err := mirror.RepairAll(t.Context(), newMirror(t, m.primary, second))
					require.Error(t, err)
					require.Contains(t, []storage.Code{storage.PreconditionFailed, storage.ObjectNotFound},
						storage.CodeOf(err))
					require.ErrorContains(t, err, "nothing was removed or replaced")
					require.Equal(t, contentsBefore, contentsOf(t, second))
				}
			})
		}
	}
}

// If both stores were equal before, RepairAll repeats the changes of the primary in the second store, even if they were
// made without the mirror.
func TestRepairAllFollowsThePrimaryThatWasEqual(t *testing.T) {
	runWithEqualStores(t, func(t *testing.T, primary, second driver.Driver, b storage.Bucket) {
		withoutMirror := engine.New(primary)
		require.NoError(t, withoutMirror.Remove(t.Context(), "old/1"))
		put(t, withoutMirror, "old/2", "changed without the mirror")
		changed := contentsOf(t, withoutMirror)
		require.Len(t, changed, filledObjects-1)

		report, err := mirror.RepairAll(t.Context(), b)
		require.NoError(t, err)
		require.EqualValues(t, 1, report.Removed)
		require.Equal(t, changed, contentsOf(t, engine.New(second)))
		require.Equal(t, changed, contentsOf(t, withoutMirror))
	})
}

// A dry run of RepairAll changes nothing. It returns the same report and names the same objects as the run after it.
func TestRepairAllDryRun(t *testing.T) {
	tests := []struct {
		name        string
		opts        []mirror.RepairOption
		wantReport  mirror.Report
		wantActions map[string]mirror.Action
	}{
		{
			name:       "by default",
			wantReport: mirror.Report{Repaired: 1, Undecided: 1},
			wantActions: map[string]mirror.Action{
				"more":  mirror.Copied,
				"stray": mirror.Undecided,
			},
		},
		{
			name:       "with WithPrimaryRight",
			opts:       []mirror.RepairOption{mirror.WithPrimaryRight()},
			wantReport: mirror.Report{Repaired: 4, Recent: 1, Removed: 2},
			wantActions: map[string]mirror.Action{
				"old/1": mirror.Removed,
				"old/2": mirror.Replaced,
				"stray": mirror.Removed,
			},
		},
	}
	runWithEqualStores(t, func(t *testing.T, primary, second driver.Driver, b storage.Bucket) {
		// Programs change both stores without the mirror.
		require.NoError(t, engine.New(primary).Remove(t.Context(), "old/1"))
		put(t, engine.New(primary), "old/2", "changed without the mirror")
		put(t, engine.New(primary), "more", "only in the primary")
		put(t, engine.New(second), "stray", "only in the second store")
		put(t, engine.New(primary), mirror.NotesPrefix+"a-note", `{"key":"old/3"}`)

		repairAll := func(opts ...mirror.RepairOption) (mirror.Report, map[string]mirror.Action, error) {
			actions := map[string]mirror.Action{}
			record := mirror.WithDifferences(func(d mirror.Difference) {
				actions[d.Key] = d.Action
			})
			report, err := mirror.RepairAll(t.Context(), b, append(opts, record)...)
			return report, actions, err
		}

		// The second case begins with the stores as the first case has left them.
		for _, tt := range tests {
			primaryBefore := contentsOf(t, engine.New(primary))
			secondBefore := contentsOf(t, engine.New(second))
			dryOpts := append(slices.Clone(tt.opts), mirror.WithDryRun())
			dryReport, dryActions, dryErr := repairAll(dryOpts...)
			require.Equal(t, primaryBefore, contentsOf(t, engine.New(primary)), tt.name)
			require.Equal(t, secondBefore, contentsOf(t, engine.New(second)), tt.name)

			// The run has the same results as the dry run.
			report, actions, err := repairAll(tt.opts...)
			require.Equal(t, storage.CodeOf(dryErr), storage.CodeOf(err), tt.name)
			require.Equal(t, dryReport, report, tt.name)
			require.Equal(t, dryActions, actions, tt.name)
			require.Equal(t, tt.wantReport, report, tt.name)
			require.Equal(t, tt.wantActions, actions, tt.name)
		}
		require.Equal(t, contentsOf(t, engine.New(primary)), contentsOf(t, engine.New(second)))
	})
}

// RepairAll removes nothing from the second store if the primary has no objects, even with
// WithPrimaryRight.
func TestRepairAllEmptyPrimary(t *testing.T) {
	second := memstore.New()
	put(t, second, "a", "precious")
	b := newMirror(t, memstore.NewDriver(memstore.Config{}), second)

	_, err := mirror.RepairAll(t.Context(), b, mirror.WithPrimaryRight())
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.Equal(t, map[string]string{"a": "precious"}, contentsOf(t, second))
}

// The notes of a mirror may come from a copy of another primary. Then Repair fails with
// PreconditionFailed, and changes nothing in the second store.
func TestRepairCopiedNote(t *testing.T) {
	primary := memstore.NewDriver(memstore.Config{})
	second := memstore.NewDriver(memstore.Config{})
	b := engine.New(primary, driver.WithLayer(newLayer(t, engine.New(second), mirror.Config{})),
		storage.WithSigningBaseURL("http://127.0.0.1/"))

	// A signed upload leaves a note in the primary. A copy of the primary has the notes, too.
	for _, key := range []string{"a", "b"} {
		_, err := b.SignedUploadURL(t.Context(), key)
		require.NoError(t, err)
	}
	duplicate := memstore.NewDriver(memstore.Config{})
	copyRaw(t, engine.New(duplicate), engine.New(primary))

	// If Repair followed the notes, it would remove "a" from the second store, and replace "b" by
	// an older object.
	put(t, engine.New(duplicate), "b", "older")
	put(t, engine.New(second), "a", "precious")
	put(t, engine.New(second), "b", "newer")
	before := contentsOf(t, engine.New(second))

	report, err := mirror.Repair(t.Context(), newMirror(t, duplicate, engine.New(second)))
	require.ErrorIs(t, err, storage.PreconditionFailed)
	require.Equal(t, mirror.Report{Failed: 2}, report)
	require.Equal(t, before, contentsOf(t, engine.New(second)))
}

// An earlier version marked equal stores by a text without a time. Such a mark proves nothing about
// later changes. If the stores are still equal, RepairAll marks them again. If they differ now, it
// fails with PreconditionFailed.
func TestRepairAllEarlierVersion(t *testing.T) {
	const pair = mirror.NotesPrefix + "pair"
	primary := memstore.NewDriver(memstore.Config{})
	second := memstore.NewDriver(memstore.Config{})
	b := newMirror(t, primary, engine.New(second))
	put(t, b, "a", "text")
	for _, d := range []driver.Driver{primary, second} {
		put(t, engine.New(d), pair, "OLDTEXTOFBOTHSTORES")
	}

	// The stores differ.
	put(t, engine.New(second), "b", "only there")
	_, err := mirror.RepairAll(t.Context(), b)
	require.ErrorIs(t, err, storage.PreconditionFailed)
	require.Len(t, contentsOf(t, engine.New(second)), 2)

	// Now the stores are equal. RepairAll removes the mark of the earlier version.
	require.NoError(t, engine.New(second).Remove(t.Context(), "b"))
	_, err = mirror.RepairAll(t.Context(), b)
	require.NoError(t, err)
	_, err = engine.New(second).Attrs(t.Context(), pair)
	require.ErrorIs(t, err, storage.ObjectNotFound)

	// By the new mark, RepairAll knows that "a" was removed from the primary.
	waitForLaterTime(t)
	require.NoError(t, engine.New(primary).Remove(t.Context(), "a"))
	put(t, b, "c", "text")
	_, err = mirror.RepairAll(t.Context(), b)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"c": "text"}, contentsOf(t, engine.New(second)))
}

// RepairAll fails, and keeps all objects, if the second store belongs to another mirror.
func TestRepairAllSecondOfOtherMirror(t *testing.T) {
	newDriver := func() driver.Driver { return memstore.NewDriver(memstore.Config{}) }
	otherSecond := newDriver()
	newFilledMirror(t, newDriver(), otherSecond)
	second := newDriver()
	b := newFilledMirror(t, newDriver(), second)
	waitForLaterTime(t)

	// The second store gets the objects of another mirror's second store, as if the disk of that
	// mirror were mounted in its place.
	removeAll(t, engine.New(second))
	for key, text := range contentsOf(t, engine.New(otherSecond)) {
		put(t, engine.New(second), "one/"+key, text)
	}
	before := contentsOf(t, engine.New(second))

	_, err := mirror.RepairAll(t.Context(), b)
	require.ErrorIs(t, err, storage.PreconditionFailed)

	// RepairAll may have stored objects of its own, but has removed none.
	after := contentsOf(t, engine.New(second))
	for key, text := range before {
		require.Equal(t, text, after[key])
	}
}

// If a second store is opened without the mirror, it lists only objects of the user, even after RepairAll.
func TestSecondStoreHasOnlyObjects(t *testing.T) {
	primary := memstore.NewDriver(memstore.Config{})
	second := memstore.NewDriver(memstore.Config{})
	newFilledMirror(t, primary, second)

	for entry, err := range engine.New(second).List(t.Context()) {
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(entry.Key, "old/"), entry.Key)
	}
}

// If the stores are opened in swapped roles while the second store lacks writes, RepairAll copies these writes to it.
func TestSwapByMistakeLosesNothing(t *testing.T) {
	runWithEqualStores(t, func(t *testing.T, primary, second driver.Driver, _ storage.Bucket) {
		down := newMirror(t, primary, unavailableBucket(second))
		put(t, down, "old/1", "changed while the second store was down")
		put(t, down, "new", "written while the second store was down")
		want := contentsOf(t, engine.New(primary))

		swapped := newMirror(t, second, engine.New(primary))
		_, err := mirror.RepairAll(t.Context(), swapped)
		require.NoError(t, err)
		require.Equal(t, want, contentsOf(t, engine.New(primary)))
		require.Equal(t, want, contentsOf(t, engine.New(second)))
	})
}
