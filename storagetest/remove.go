package storagetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
)

var removeCases = []Case{
	{
		Name:        "removing a missing object succeeds",
		Rule:        "D1",
		Explanation: "Remove returns nil for a key that is missing or was removed, so that a retry is safe",
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "x")
			require.NoError(t, b.Remove(t.Context(), "a"))
			require.NoError(t, b.Remove(t.Context(), "a"))
			require.NoError(t, b.Remove(t.Context(), "never"))
			require.NoError(t, b.Remove(t.Context(), "a/b/c"))
			_, err := b.Attrs(t.Context(), "a")
			t.requireCode(err, storage.ObjectNotFound)
		},
	},
	{
		Name:        "removing one object leaves its neighbours",
		Rule:        "D1",
		Explanation: "Remove of a keeps ab and a/b",
		Needs:       storage.KeysBesideFolders,
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a", "a/b", "a/b/c", "ab", "A")
			require.NoError(t, b.Remove(t.Context(), "a/b"))
			require.Equal(t, []string{"A", "a", "a/b/c", "ab"}, t.keys(b))
			require.NoError(t, b.Remove(t.Context(), "a"))
			require.Equal(t, []string{"A", "a/b/c", "ab"}, t.keys(b))
			for _, key := range []string{"A", "a/b/c", "ab"} {
				t.requireContent(b, key, key)
			}
		},
	},
	{
		Name:        "RemoveAll removes every key in batches",
		Rule:        "D2",
		Explanation: "many keys, some of them missing, are removed in the provider's batches or one by one, and nothing else is",
		run: func(t *T) {
			for _, b := range []storage.Bucket{t.open(), t.openLimited(faults.Limits{MaxBatch: 3}), t.openLimited(faults.Limits{MaxBatch: -1})} {
				keys := []string{"keep"}
				for i := range 8 {
					keys = append(keys, fmt.Sprintf("k/%d", i))
				}
				t.puts(b, keys...)
				n, err := storage.RemoveAll(t.Context(), b, slices.Values(append(slices.Clone(keys[1:]), "missing")))
				require.NoError(t, err)
				require.Equal(t, 9, n)
				require.Equal(t, []string{"keep"}, t.keys(b))
				n, err = storage.RemoveAll(t.Context(), b, slices.Values([]string{}))
				require.NoError(t, err)
				require.Zero(t, n)
			}
		},
	},
	{
		Name:        "RemoveAll continues after failures",
		Rule:        "D2",
		Explanation: "err joins one *Error for each key that is still there, and for no other",
		run: func(t *T) {
			for _, bounds := range []faults.Limits{{MaxBatch: -1}, {MaxBatch: 2}} {
				if bounds.MaxBatch > 0 && t.desc.MaxBatch == 0 {
					continue
				}
				b := t.openLimited(bounds, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
				keys := []string{"a", "b", "c", "d", "e", "f"}
				t.puts(b, keys...)
				t.faults.Set(faults.Fail(faults.Delete | faults.DeleteBatch).Nth(2).WithError(storage.Locked))
				n, err := storage.RemoveAll(t.Context(), b, slices.Values(keys))
				t.faults.Set()
				leftovers := t.keys(b)
				require.NotEmpty(t, leftovers)
				require.Equal(t, len(keys)-len(leftovers), n)
				require.ErrorIs(t, err, storage.Locked)
				var named []string
				for _, e := range errorsOf(err) {
					require.Equal(t, storage.Locked, e.Code)
					require.Equal(t, "RemoveAll", e.Op)
					named = append(named, e.Key)
				}
				require.Equal(t, leftovers, sorted(named))
			}
		},
	},
	{
		Name:        "RemoveAll works if batches are refused",
		Rule:        "D2",
		Explanation: "if a store that declares batches refuses them, at once or on a retry, keys are removed one by one",
		run: func(t *T) {
			keys := []string{"a", "b", "c", "d"}
			refusal := faults.Fail(faults.DeleteBatch).WithError(storage.Unsupported)
			for _, rules := range [][]faults.Rule{{refusal}, {faults.Fail(faults.DeleteBatch).Nth(1), refusal}} {
				b := t.open()
				t.puts(b, keys...)
				t.faults.Set(rules...)
				n, err := storage.RemoveAll(t.Context(), b, slices.Values(keys))
				require.NoError(t, err)
				require.Equal(t, len(keys), n)
				require.Empty(t, t.keys(b))
			}
		},
	},
	{
		Name:        "RemoveAll stops after 1,000 failures",
		Rule:        "D2",
		Explanation: "a store that refuses everything is not called forever, so that memory is bounded",
		run: func(t *T) {
			b := t.openWithoutRetry()
			t.faults.Set(faults.Fail(faults.Delete | faults.DeleteBatch).WithError(storage.PermissionDenied))
			tries := 0
			n, err := storage.RemoveAll(t.Context(), b, func(yield func(string) bool) {
				for tries = 0; tries < 100_000; tries++ {
					if !yield(fmt.Sprintf("k%d", tries)) {
						return
					}
				}
			})
			require.Zero(t, n)
			require.ErrorIs(t, err, storage.PermissionDenied)
			require.Less(t, tries, 10_000, "keys must be taken only as needed")
			failures := errorsOf(err)
			require.LessOrEqual(t, len(failures), 5000)
			require.GreaterOrEqual(t, len(failures), 1000)
			require.Len(t, failures, tries+1, "a key that was tried must have an error")
		},
	},
	{
		Name:        "RemoveAll refuses bad keys one by one",
		Rule:        "D2",
		Explanation: "an invalid key is InvalidArgument for itself, and the others are removed",
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a", "b")
			n, err := storage.RemoveAll(t.Context(), b, slices.Values([]string{"a", "../x", "", "b"}))
			require.Equal(t, 2, n)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.Len(t, errorsOf(err), 2)
			require.Empty(t, t.keys(b))
		},
	},
	{
		Name:        "RemoveMatching removes what matches",
		Rule:        "D2",
		Explanation: "it removes the keys that the listing yields and match accepts, and joins an error of the listing",
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a", "p/1", "p/2", "p/3", "q")
			n, err := storage.RemoveMatching(t.Context(), b,
				func(e storage.ListEntry) bool { return e.Key != "p/2" }, storage.WithPrefix("p/"))
			require.NoError(t, err)
			require.Equal(t, 2, n)
			require.Equal(t, []string{"a", "p/2", "q"}, t.keys(b))

			t.faults.Set(faults.Fail(faults.List).Nth(2).WithError(storage.PermissionDenied))
			n, err = storage.RemoveMatching(t.Context(), b, nil, storage.WithPageSize(1))
			require.ErrorIs(t, err, storage.PermissionDenied)
			require.Equal(t, 1, n)
			t.faults.Set()
			require.Len(t, t.keys(b), 2)
		},
	},
	{
		Name:        "RemoveAll ends with ctx",
		Rule:        "D2",
		Explanation: "a cancelled ctx removes nothing",
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a")
			_, err := storage.RemoveAll(canceled(t), b, slices.Values([]string{"a"}))
			require.True(t, errors.Is(err, storage.Canceled), "%v", err)
			t.requireExists(b, "a")
		},
	},
}

// keptFor is how long the buckets of these cases keep a removed object so that it can be restored
// (soft delete).
const keptFor = 7 * 24 * time.Hour

var softDeleteCases = []Case{
	{
		Name:        "what is removed for good is kept for a time",
		Rule:        "V5",
		Explanation: "Versions with WithSoftDeleted lists it, and until when it is kept; nothing else shows it",
		Needs:       storage.SoftDelete,
		run: func(t *T) {
			b := t.open(storage.WithSoftDelete(keptFor))
			t.puts(b, "a", "b", "stays")
			t.removeForGood(b, "a", "b", "missing")
			t.requireMissing(b, "a")
			require.Equal(t, []string{"stays"}, t.keys(b))
			entries := t.versions(b, storage.WithSoftDeleted())
			require.Len(t, entries, 2)
			for i, key := range []string{"a", "b"} {
				require.Equal(t, key, entries[i].Key)
				require.Equal(t, int64(len(key)), entries[i].Size)
				require.False(t, entries[i].Current)
				require.False(t, entries[i].IsDeleteMarker)
				require.WithinDuration(t, time.Now().Add(keptFor), entries[i].SoftDeletedUntil, 25*time.Hour)
			}
			require.Equal(t, entries[1:], t.versions(b, storage.WithSoftDeleted(), storage.WithPrefix("b")))
			t.requireNoRequests(func() {
				for _, err := range b.List(t.Context(), t.anyOrder(storage.WithSoftDeleted())...) {
					t.requireCode(err, storage.InvalidArgument)
				}
			})
		},
	},
	{
		Name:        "Restore brings back what was removed for good",
		Rule:        "V5",
		Explanation: "the object has its content, properties and tags again, and can be removed and brought back again",
		Needs:       storage.SoftDelete,
		run: func(t *T) {
			b := t.open(storage.WithSoftDelete(keptFor))
			opts := []storage.UploadOption{t.contentType("text/x-kept"), t.metadata(map[string]string{"k": "v"})}
			if t.has(storage.ObjectTags) {
				opts = append(opts, storage.WithTags(map[string]string{"t": "1"}))
			}
			t.put(b, "dir/a", "text", opts...)
			for range 2 {
				t.removeForGood(b, "dir/a")
				t.requireMissing(b, "dir/a")
				require.NoError(t, storage.Restore(t.Context(), b, "dir/a", storage.WithSoftDeleted()))
				t.requireContent(b, "dir/a", "text")
				attrs := t.attrs(b, "dir/a")
				require.Equal(t, t.keptType("text/x-kept"), attrs.ContentType)
				if t.has(storage.Metadata) {
					require.Equal(t, "v", attrs.Metadata["k"])
				}
				if t.has(storage.ObjectTags) {
					tags, err := storage.Tags(t.Context(), b, "dir/a")
					require.NoError(t, err)
					require.Equal(t, map[string]string{"t": "1"}, tags)
				}
			}
			require.Equal(t, []string{"dir/a"}, t.keys(b))
		},
	},
	{
		Name: "Restore of what was removed replaces nothing",
		Rule: "V5",
		Explanation: "if the key has an object, that stays, and Restore is PreconditionFailed. Restore brings " +
			"the newest of several removed objects back",
		Needs: storage.SoftDelete,
		run: func(t *T) {
			b := t.open(storage.WithSoftDelete(keptFor))
			for _, text := range []string{"one", "second"} {
				t.put(b, "a", text)
				t.removeForGood(b, "a")
			}
			t.put(b, "a", "new")
			t.requireNothingDone(storage.Restore(t.Context(), b, "a", storage.WithSoftDeleted()), storage.PreconditionFailed)
			t.requireContent(b, "a", "new")
			t.removeForGood(b, "a")
			require.NoError(t, storage.Restore(t.Context(), b, "a", storage.WithSoftDeleted()))
			t.requireContent(b, "a", "new")
		},
	},
	{
		Name: "a removed object is selected by its version",
		Rule: "V5",
		Explanation: "if the store keeps several of a key, WithVersion selects one of them; a listing has all of " +
			"them, the newest first, also in pages",
		Needs: storage.SoftDelete,
		run: func(t *T) {
			b := t.open(storage.WithSoftDelete(keptFor))
			for _, text := range []string{"one", "second", "the third"} {
				t.put(b, "a", text)
				t.put(b, "b", text)
				t.removeForGood(b, "a", "b")
			}
			entries := t.versions(b, storage.WithSoftDeleted())
			require.Equal(t, entries, t.versions(b, storage.WithSoftDeleted(), storage.WithPageSize(1)))
			require.Equal(t, entries[:1], t.versions(b, storage.WithSoftDeleted(), storage.WithLimit(1)))
			if entries[0].Version == "" {
				require.Len(t, entries, 2)
				return // the store keeps only the newest removed object of a key
			}
			require.Len(t, entries, 6)
			require.Equal(t, int64(9), entries[0].Size)
			require.Equal(t, int64(3), entries[2].Size)
			require.NoError(
				t,
				storage.Restore(t.Context(), b, "a", storage.WithSoftDeleted(), storage.WithVersion(entries[2].Version)),
			)
			t.requireContent(b, "a", "one")
			t.requireMissing(b, "b")
			for _, bad := range []string{"", "not a version\n", "../1"} {
				t.requireNothingDone(
					storage.Restore(t.Context(), b, "b", storage.WithSoftDeleted(), storage.WithVersion(bad)),
					storage.InvalidArgument,
				)
			}
		},
	},
	{
		Name: "what was never removed cannot be restored",
		Rule: "V5",
		Explanation: "Restore with WithSoftDeleted of a key without anything is ObjectNotFound, and of an object " +
			"that was not removed PreconditionFailed",
		Needs: storage.SoftDelete,
		run: func(t *T) {
			b := t.open(storage.WithSoftDelete(keptFor))
			t.put(b, "there", "x")
			t.put(b, "longer/key", "x")
			t.removeForGood(b, "longer/key")
			for _, key := range []string{"missing", "longer", "longer/key2"} {
				t.requireNothingDone(storage.Restore(t.Context(), b, key, storage.WithSoftDeleted()), storage.ObjectNotFound)
			}
			t.requireNothingDone(storage.Restore(t.Context(), b, "there", storage.WithSoftDeleted()),
				storage.PreconditionFailed)
		},
	},
	{
		Name:        "concurrent calls restore one object",
		Rule:        "V5",
		Explanation: "some call succeeds, and each other one at most finds that the key has an object",
		Needs:       storage.SoftDelete,
		run: func(t *T) {
			b := t.open(storage.WithSoftDelete(keptFor))
			t.put(b, "a", "text")
			t.removeForGood(b, "a")
			errs := make([]error, 8)
			var group sync.WaitGroup
			for i := range errs {
				group.Go(func() {
					errs[i] = storage.Restore(t.Context(), b, "a", storage.WithSoftDeleted())
				})
			}
			group.Wait()
			restored := 0
			for _, err := range errs {
				if err == nil {
					restored++
				} else {
					t.requireCode(err, storage.PreconditionFailed)
				}
			}
			require.Positive(t, restored)
			t.requireContent(b, "a", "text")
		},
	},
	{
		Name: "a version that is removed for good is kept for a time",
		Rule: "V5",
		Explanation: "in a bucket that keeps versions, only the removal of a version is for good; Restore makes " +
			"it an object again",
		Needs: storage.SoftDelete | storage.Versioning,
		run: func(t *T) {
			b := t.openVersioned(storage.WithSoftDelete(keptFor))
			one := t.put(b, "a", "one")
			t.put(b, "a", "two")
			require.NoError(t, b.Remove(t.Context(), "a"))
			require.Empty(t, t.versions(b, storage.WithSoftDeleted()))
			_, err := storage.RemoveVersions(
				t.Context(), b,
				slices.Values(slices.DeleteFunc(t.versions(b),
					func(v storage.VersionEntry) bool { return v.Version == "" })),
			)
			require.NoError(t, err)
			require.Empty(t, t.versions(b))
			entries := t.versions(b, storage.WithSoftDeleted())
			require.Len(t, entries, 2)
			require.Equal(t, one.Version, entries[1].Version)
			require.NoError(t,
				storage.Restore(t.Context(), b, "a", storage.WithSoftDeleted(), storage.WithVersion(one.Version)))
			t.requireContent(b, "a", "one")
		},
	},
	{
		Name:        "what was removed under a prefix",
		Rule:        "V5",
		Explanation: "a prefixed bucket lists and restores only what was removed of its own keys",
		Needs:       storage.SoftDelete,
		run: func(t *T) {
			parent := t.open(storage.WithSoftDelete(keptFor))
			b := storage.Prefixed(parent, "p/")
			for _, key := range []string{"a", "p/a", "p/b"} {
				t.put(parent, key, strings.TrimPrefix(key, "p/"))
				t.removeForGood(parent, key)
			}
			entries := t.versions(b, storage.WithSoftDeleted())
			require.Len(t, entries, 2)
			require.Equal(t, "b", entries[1].Key)
			require.NoError(t, storage.Restore(t.Context(), b, "b", storage.WithSoftDeleted()))
			require.Equal(t, []string{"p/b"}, t.keys(parent))
		},
	},
}

// removeForGood removes objects with all versions that the bucket keeps of them.
func (t *T) removeForGood(b storage.Bucket, keys ...string) {
	t.Helper()
	_, err := storage.RemoveAll(t.Context(), b, slices.Values(keys))
	require.NoError(t, err)
	if !storage.Supports(b, storage.Versioning) {
		return
	}

	var versions []storage.VersionEntry
	for _, entry := range t.versions(b) {
		if entry.Version != "" && slices.Contains(keys, entry.Key) {
			versions = append(versions, entry)
		}
	}
	_, err = storage.RemoveVersions(t.Context(), b, slices.Values(versions))
	require.NoError(t, err)
}
