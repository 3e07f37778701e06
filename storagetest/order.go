package storagetest

import (
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
)

var orderCases = []Case{
	{
		Name: "keys are in byte order", Rule: "K4",
		Explanation: "a-b < a/b < a0: keys are ordered by the bytes of their UTF-8, not by path segments, code units or letters",
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
		Name: "common prefixes are listed among the keys", Rule: "K4",
		Explanation: "a common prefix is listed at its place, on every page",
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
		Explanation: "without OrderedListing every operation is Unsupported, with a hint: sorting each page does not sort the listing",
		run: func(t *T) {
			b := t.openLimited(faults.Limits{Disable: storage.OrderedListing})
			t.requireNoRequests(func() {
				for _, err := range b.List(t.Context()) {
					require.NotEmpty(t, t.requireCode(err, storage.Unsupported).Hint)
				}
				_, err := b.Upload(t.Context(), "a", stream("x"))
				t.requireCode(err, storage.Unsupported)
			})
		},
	},
}
