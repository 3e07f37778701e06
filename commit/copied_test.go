package commit_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/foldermarker"
	"github.com/omnibucket/storage/memstore"
)

// If a log is copied with the mark of its last Trim, the next Trim of the copy removes the marked
// entries. It removes nothing from the original.
func TestTrimmedMarkOfACopiedLog(t *testing.T) {
	tests := []struct {
		name     string
		restored []string // keys that a backup brings back into the copy
	}{
		{name: "copied with its bucket"},
		{name: "older entries came back", restored: []string{entryKey(1), entryKey(2)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The original had the entries 1 to 10. Trim(3) has marked the entries 1 to 3. Trim(6) has removed these, and
			// marked 4 to 6.
			src := newTrimmedLog(t, 3, 6)

			// Copy the log with its mark, and add the restored entries to the copy.
			dst := memstore.New()
			copyKeys(t, dst, src, foldermarker.Keys(t, src)...)
			for _, key := range tt.restored {
				_, err := dst.Upload(t.Context(), key, strings.NewReader("text"))
				require.NoError(t, err)
			}

			// Trim(8) of the copy removes the marked entries 4 to 6, and also the restored ones. The original keeps its
			// entries.
			require.NoError(t, newLog(t, dst).Trim(t.Context(), 8))
			require.Equal(t, append(entryKeys(7, 10), markKey), foldermarker.Keys(t, dst))
			require.Equal(t, append(entryKeys(4, 10), markKey), foldermarker.Keys(t, src))
		})
	}
}

// entryKeys returns the keys of the entries from first to last.
func entryKeys(first, last int) []string {
	var keys []string
	for number := first; number <= last; number++ {
		keys = append(keys, entryKey(number))
	}
	return keys
}
