package storagetest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
)

var removeCases = []Case{
	{
		Name: "removing a missing object succeeds", Rule: "D1",
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
		Name: "removing one object leaves its neighbours", Rule: "D1",
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
		Name: "RemoveAll removes every key in batches", Rule: "D2",
		Explanation: "many keys, some of them missing, are removed in the provider's batches or one by one, and nothing else is",
		run: func(t *T) {
			for _, b := range []storage.Bucket{t.open(), t.openLimited(faults.Limits{MaxBatch: 3}), t.openLimited(faults.Limits{MaxBatch: -1})} {
				keys := []string{"keep"}
				for i := range 8 {
					keys = append(keys, fmt.Sprintf("k/%d", i))
				}
				t.puts(b, keys...)
				removed, err := storage.RemoveAll(
					t.Context(), b, slices.Values(append(slices.Clone(keys[1:]), "missing")),
				)
				require.NoError(t, err)
				require.Equal(t, 9, removed)
				require.Equal(t, []string{"keep"}, t.keys(b))
				removed, err = storage.RemoveAll(t.Context(), b, slices.Values([]string{}))
				require.NoError(t, err)
				require.Zero(t, removed)
			}
		},
	},
	{
		Name: "RemoveAll continues after failures", Rule: "D2",
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
				removed, err := storage.RemoveAll(t.Context(), b, slices.Values(keys))
				t.faults.Set()
				left := t.keys(b)
				require.NotEmpty(t, left)
				require.Equal(t, len(keys)-len(left), removed)
				require.ErrorIs(t, err, storage.Locked)
				var named []string
				for _, e := range errorsOf(err) {
					require.Equal(t, storage.Locked, e.Code)
					require.Equal(t, "RemoveAll", e.Op)
					named = append(named, e.Key)
				}
				require.Equal(t, left, sorted(named))
			}
		},
	},
	{
		Name: "RemoveAll works if batches are refused", Rule: "D2",
		Explanation: "if a store that declares batches refuses them, at once or on a retry, keys are removed one by one",
		run: func(t *T) {
			keys := []string{"a", "b", "c", "d"}
			refused := faults.Fail(faults.DeleteBatch).WithError(storage.Unsupported)
			for _, rules := range [][]faults.Rule{{refused}, {faults.Fail(faults.DeleteBatch).Nth(1), refused}} {
				b := t.open()
				t.puts(b, keys...)
				t.faults.Set(rules...)
				removed, err := storage.RemoveAll(t.Context(), b, slices.Values(keys))
				require.NoError(t, err)
				require.Equal(t, len(keys), removed)
				require.Empty(t, t.keys(b))
			}
		},
	},
	{
		Name: "RemoveAll stops after 1,000 failures", Rule: "D2",
		Explanation: "a store that refuses everything is not called forever, so that memory is bounded",
		run: func(t *T) {
			b := t.openWithoutRetry()
			t.faults.Set(faults.Fail(faults.Delete | faults.DeleteBatch).WithError(storage.PermissionDenied))
			asked := 0
			removed, err := storage.RemoveAll(t.Context(), b, func(yield func(string) bool) {
				for asked = 0; asked < 100_000; asked++ {
					if !yield(fmt.Sprintf("k%d", asked)) {
						return
					}
				}
			})
			require.Zero(t, removed)
			require.ErrorIs(t, err, storage.PermissionDenied)
			require.Less(t, asked, 10_000, "keys must be taken only as needed")
			failures := errorsOf(err)
			require.LessOrEqual(t, len(failures), 5000)
			require.GreaterOrEqual(t, len(failures), 1000)
			require.Len(t, failures, asked+1, "a key that was tried must have an error")
		},
	},
	{
		Name: "RemoveAll refuses bad keys one by one", Rule: "D2",
		Explanation: "an invalid key is InvalidArgument for itself, and the others are removed",
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a", "b")
			removed, err := storage.RemoveAll(t.Context(), b, slices.Values([]string{"a", "../x", "", "b"}))
			require.Equal(t, 2, removed)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.Len(t, errorsOf(err), 2)
			require.Empty(t, t.keys(b))
		},
	},
	{
		Name: "RemoveMatching removes what matches", Rule: "D2",
		Explanation: "it removes the keys that the listing yields and match accepts, and joins an error of the listing",
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a", "p/1", "p/2", "p/3", "q")
			removed, err := storage.RemoveMatching(
				t.Context(), b, func(e storage.ListEntry) bool { return e.Key != "p/2" }, storage.WithPrefix("p/"),
			)
			require.NoError(t, err)
			require.Equal(t, 2, removed)
			require.Equal(t, []string{"a", "p/2", "q"}, t.keys(b))

			t.faults.Set(faults.Fail(faults.List).Nth(2).WithError(storage.PermissionDenied))
			removed, err = storage.RemoveMatching(t.Context(), b, nil, storage.WithPageSize(1))
			require.ErrorIs(t, err, storage.PermissionDenied)
			require.Equal(t, 1, removed)
			t.faults.Set()
			require.Len(t, t.keys(b), 2)
		},
	},
	{
		Name: "RemoveAll ends with ctx", Rule: "D2",
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
