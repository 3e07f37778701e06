package storagetest

import (
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

var restoreCases = []Case{
	{
		Name: "restoring what can be read succeeds", Rule: "G5",
		Explanation: "Restore of an object that is not archived changes nothing, also when it is repeated",
		Needs:       storage.Restoring,
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "x")
			before := t.attrs(b, "a")
			require.NoError(t, storage.Restore(t.Context(), b, "a"))
			require.NoError(t, storage.Restore(t.Context(), b, "a", storage.WithRestoreDays(2)))
			require.Equal(t, before, t.attrs(b, "a"))
			t.requireContent(b, "a", "x")
		},
	},
	{
		Name: "restoring a missing object", Rule: "G5",
		Explanation: "Restore fails with ObjectNotFound, and makes nothing",
		Needs:       storage.Restoring,
		run: func(t *T) {
			b := t.open()
			t.requireNothingDone(storage.Restore(t.Context(), b, "missing"), storage.ObjectNotFound)
			t.requireMissing(b, "missing")
		},
	},
	{
		Name: "a restored copy is kept for at least a day", Rule: "G5",
		Explanation: "days below 1 are InvalidArgument with every provider, before any request",
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "x")
			for _, days := range []int{0, -1} {
				t.requireNoRequests(func() {
					t.requireCode(storage.Restore(t.Context(), b, "a", storage.WithRestoreDays(days)), storage.InvalidArgument)
				})
			}
		},
	},
}
