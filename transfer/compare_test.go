package transfer_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
)

// Compare counts the files that are the same, different, and at one end only.
func TestCompare(t *testing.T) {
	for _, kinds := range [][2]string{
		{"directory", "directory"},
		{"directory", "bucket"},
		{"bucket", "directory"},
		{"bucket", "bucket"},
	} {
		t.Run(kinds[0]+" with "+kinds[1], func(t *testing.T) {
			first, _ := newFilledEnd(t, kinds[0],
				map[string]string{"a": "same", "b": "one", "c": "grown", "d": "only", "x.tmp": "1"})
			second, keysOfSecond := newFilledEnd(t, kinds[1],
				map[string]string{"a": "same", "b": "two", "c": "x", "e": "only", "x.tmp": "22"})
			const keys = 5 // of both ends together, without the excluded "x.tmp"

			tests := []struct {
				name string
				opts []transfer.Option
				want map[string]transfer.DifferenceKind
			}{
				{
					name: "by checksum",
					opts: []transfer.Option{transfer.WithChecksum()},
					want: map[string]transfer.DifferenceKind{
						"b": transfer.Different,
						"c": transfer.Different,
						"d": transfer.OnlyFirst,
						"e": transfer.OnlySecond,
					},
				},
				{
					name: "by size",
					opts: []transfer.Option{transfer.WithSizeOnly()},
					want: map[string]transfer.DifferenceKind{
						"c": transfer.Different,
						"d": transfer.OnlyFirst,
						"e": transfer.OnlySecond,
					},
				},
			}
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					got := map[string]transfer.DifferenceKind{}
					result, err := transfer.Compare(t.Context(), first, second, func(d transfer.Difference) {
						got[d.Key] = d.Kind
					}, append(tt.opts, transfer.WithExclude("*.tmp"))...)
					require.NoError(t, err)
					require.Equal(t, tt.want, got)
					require.False(t, result.Equal())
					require.EqualValues(t, keys-len(tt.want), result.Same)
				})
			}

			// An end equals itself.
			result, err := transfer.Compare(t.Context(), first, first, nil)
			require.NoError(t, err)
			require.True(t, result.Equal())
			require.Len(t, keysOfSecond(), 5, "Compare removes nothing")
		})
	}

	// A missing directory is an error.
	src, _ := newFilledEnd(t, "bucket", nil)
	_, err := transfer.Compare(t.Context(), src, transfer.Dir(filepath.Join(t.TempDir(), "none")), nil)
	require.ErrorIs(t, err, storage.ObjectNotFound)
}
