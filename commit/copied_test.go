package commit_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/commit"
	"github.com/omnibucket/storage/memstore"
)

// If a trimmed log is copied with its mark, Trim of the copy removes the entries up to the number of the call
// before. It removes nothing from the original.
func TestTrimmedMarkOfACopiedLog(t *testing.T) {
	for name, back := range map[string][]string{
		"copied with its bucket":  nil,
		"older entries came back": {"log/00000000000000000001", "log/00000000000000000002"},
	} {
		t.Run(name, func(t *testing.T) {
			log, bucket := newMemoryLog(t)
			for range 10 {
				_, err := log.Append(t.Context(), func(int64) ([]byte, error) { return []byte("text"), nil })
				require.NoError(t, err)
			}
			require.NoError(t, log.Trim(t.Context(), 3))
			require.NoError(t, log.Trim(t.Context(), 6)) // removes 1 to 3
			dst := memstore.New()
			for e, err := range bucket.List(t.Context()) {
				require.NoError(t, err)
				_, err = storage.Copy(t.Context(), dst, e.Key, bucket, e.Key)
				require.NoError(t, err)
			}
			for _, key := range back {
				_, err := dst.Upload(t.Context(), key, strings.NewReader("text"))
				require.NoError(t, err)
			}
			other, err := commit.New(dst, "log/")
			require.NoError(t, err)
			require.NoError(t, other.Trim(t.Context(), 8))

			require.Equal(t, []string{"07", "08", "09", "10", "ed"}, listEnds(t, dst))
			require.Equal(t, []string{"04", "05", "06", "07", "08", "09", "10", "ed"}, listEnds(t, bucket))
		})
	}
}

// listEnds returns the last two characters of each key.
func listEnds(t *testing.T, bucket storage.Bucket) (all []string) {
	t.Helper()
	for e, err := range bucket.List(t.Context()) {
		require.NoError(t, err)
		all = append(all, e.Key[len(e.Key)-2:])
	}
	return all
}
