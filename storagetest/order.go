package storagetest

import (
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
)

var orderCases = []Case{
	{
		Name: "keys are in the order of their bytes", Rule: "K4",
		Explanation: "a-b < a/b < a0: the order is that of the whole key's UTF-8, not of path segments, code units or letters",
		Needs:       storage.KeysBesideFolders,
		run: func(t *T) {
			b := t.open()
			want := []string{"B", "a", "a-b", "a/b", "a/b/c", "a0", "b", "\u00e9", "\u4e16", "\uffee", "\U0001F600"}
			for _, key := range slices.Backward(want) {
				t.put(b, key, "")
			}
			require.Equal(t, want, t.keys(b))
			require.Equal(t, want, t.keys(b, storage.WithPageSize(1)), "across pages of one")
			require.Equal(t, want, t.keys(b, storage.WithPageSize(3)), "across pages of three")
		},
	},
	{
		Name: "common prefixes stand among the keys", Rule: "K4",
		Explanation: "a prefix is merged in at its place, on whichever page",
		Needs:       storage.KeysBesideFolders,
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a", "a-b", "a/b", "a/c/d", "a0", "b/x", "c")
			want := []string{"a", "a-b", ">a/", "a0", ">b/", "c"}
			for _, size := range []int{1, 2, 3, 100} {
				require.Equal(t, want, t.keys(b, storage.WithDelimiter("/"), storage.WithPageSize(size)), "pages of %d", size)
			}
		},
	},
	{
		Name: "a store without an order is refused", Rule: "K4",
		Explanation: "without OrderedList every operation answers Unsupported, with a hint: sorting a page is not sorting",
		run: func(t *T) {
			b := t.limited(faults.Bounds{Without: storage.OrderedList})
			t.silently(func() {
				for _, err := range b.List(t.Context()) {
					require.NotEmpty(t, t.fails(err, storage.Unsupported).Hint)
				}
				_, err := b.Upload(t.Context(), "a", stream("x"))
				t.fails(err, storage.Unsupported)
			})
		},
	},
}
