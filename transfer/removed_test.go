package transfer_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
)

// newSoftDeleteStores returns stores with soft delete. They keep for a time what is removed without
// a delete marker.
func newSoftDeleteStores(t *testing.T, opts ...storage.OpenOption) map[string]storage.Bucket {
	t.Helper()
	opts = append(opts, storage.WithSoftDelete(time.Hour))
	directory, err := local.Open(t.TempDir(), local.Config{}, opts...)
	require.NoError(t, err)
	memory := memstore.New(opts...)
	t.Cleanup(func() {
		require.NoError(t, storage.Close(directory))
		require.NoError(t, storage.Close(memory))
	})
	return map[string]storage.Bucket{"memory": memory, "directory": directory}
}

// undelete calls Undelete. It returns what Undelete does with each key, and its report and error.
func undelete(t *testing.T, b storage.Bucket, opts ...transfer.Option) (map[string]transfer.Action, *transfer.Report, error) {
	t.Helper()
	actions := map[string]transfer.Action{}
	report, err := transfer.Undelete(t.Context(), b,
		append(opts, transfer.WithChanges(func(c transfer.Change) {
			actions[c.Key] = c.Action
		}))...)
	return actions, report, err
}

// Undelete restores objects that were removed without a delete marker, for as long as the store keeps
// them.
func TestUndeleteRestoresWhatWasRemovedForGood(t *testing.T) {
	for name, b := range newSoftDeleteStores(t) {
		t.Run(name, func(t *testing.T) {
			// The objects a and b are replaced, and then a and d/e removed.
			put(t, b, "a", "a")
			put(t, b, "a", "newest")
			put(t, b, "b", "b")
			put(t, b, "b", "b")
			put(t, b, "c", "c")
			put(t, b, "d/e", "d/e")

			_, err := storage.RemoveAll(t.Context(), b, slices.Values([]string{"a", "d/e"}))
			require.NoError(t, err)

			want := map[string]transfer.Action{
				"a":   transfer.Restored,
				"b":   transfer.Unchanged,
				"c":   transfer.Unchanged,
				"d/e": transfer.Restored,
			}

			// A dry run says what Undelete does.
			actions, report, err := undelete(t, b, transfer.WithDryRun())
			require.NoError(t, err)
			require.Equal(t, want, actions)
			require.EqualValues(t, 2, report.Transferred)
			require.EqualValues(t, 2, report.Skipped)

			// The removed objects get their newest content.
			actions, _, err = undelete(t, b)
			require.NoError(t, err)
			require.Equal(t, want, actions)
			require.Equal(t, map[string]string{"a": "newest", "b": "b", "c": "c", "d/e": "d/e"},
				contents(t, b))

			// The second Undelete has nothing to do.
			actions, report, err = undelete(t, b)
			require.NoError(t, err)
			require.Equal(t, transfer.Unchanged, actions["a"], "it is listed as removed, but exists")
			require.Zero(t, report.Transferred)
		})
	}
}

// Undelete reports a change for each object.
func TestUndeleteTellsWhatItDidWithEachObject(t *testing.T) {
	for name, b := range newVersionedStores(t) {
		t.Run(name, func(t *testing.T) {
			put(t, b, "removed", "text")
			put(t, b, "stays", "text")
			require.NoError(t, b.Remove(t.Context(), "removed"))

			actions, _, err := undelete(t, b)
			require.NoError(t, err)
			want := map[string]transfer.Action{"removed": transfer.MarkerRemoved, "stays": transfer.Unchanged}
			require.Equal(t, want, actions)
		})
	}
}

// RestoreAt reports a change for an object of which it copies an older version.
func TestRestoreAtReportsACopiedVersion(t *testing.T) {
	for name, b := range newVersionedStores(t) {
		t.Run(name, func(t *testing.T) {
			when := put(t, b, "k", "older")
			waitForLaterTime(t, when, b)
			put(t, b, "k", "later")

			var changes []transfer.Change
			collect := transfer.WithChanges(func(c transfer.Change) {
				changes = append(changes, c)
			})
			_, err := transfer.RestoreAt(t.Context(), b, when, transfer.WithInclude("k"), collect)
			require.NoError(t, err)
			want := []transfer.Change{{Action: transfer.VersionCopied, Key: "k", Bytes: 5, Replaced: true}}
			require.Equal(t, want, changes)
		})
	}
}

// Whichever request of Undelete fails, each key is either restored or reported as failed. The next
// Undelete restores the others.
func TestUndeleteContinuesAfterAFault(t *testing.T) {
	const requests = 6
	keys := []string{"a", "b", "c"}
	for n := 1; n <= requests; n++ {
		injector := faults.New()
		noRetries := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
		for name, b := range newSoftDeleteStores(t, noRetries, driver.WithLayer(injector.Layer())) {
			t.Run(fmt.Sprintf("request %d of %s", n, name), func(t *testing.T) {
				for _, key := range keys {
					put(t, b, key, key)
				}
				_, err := storage.RemoveAll(t.Context(), b, slices.Values(keys))
				require.NoError(t, err)

				// Only the n-th request of Undelete fails.
				injector.Reset()
				injector.Set(faults.Fail(faults.Any).Nth(n))
				actions, _, undeleteErr := undelete(t, b)
				injector.Set()

				for _, key := range keys {
					exists, err := b.Exists(t.Context(), key)
					require.NoError(t, err)
					require.Equal(t, actions[key] == transfer.Restored, exists, "%s: %v", key, undeleteErr)
				}

				// The next Undelete restores the rest.
				_, _, err = undelete(t, b)
				require.NoError(t, err)
				require.Len(t, contents(t, b), len(keys))
			})
		}
	}
}

// To find out whether one of its ends is a folder of the other, a job may store a small object for a moment. Undelete
// does not restore such objects.
func TestUndeleteLeavesTheQuestionsOfJobs(t *testing.T) {
	for name, b := range newSoftDeleteStores(t) {
		t.Run(name, func(t *testing.T) {
			put(t, b, "a", "a")
			put(t, b, "b", "b")
			src := memstore.New()
			put(t, src, "a", "a")

			// The job removes "b". The function Unknown hides where the objects of its destination
			// are stored, so the job stores the small object.
			_, err := transfer.Sync(t.Context(), transfer.Bucket(wrapped.Unknown(t, b)), transfer.Bucket(src),
				transfer.WithDelete())
			require.NoError(t, err)

			// Undelete restores only "b".
			_, _, err = undelete(t, b)
			require.NoError(t, err)
			require.ElementsMatch(t, []string{"a", "b"}, keysOf(contents(t, b)))
		})
	}
}
