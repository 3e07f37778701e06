package ends

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/endingctx"
	"github.com/omnibucket/storage/transfer/internal/selection"
)

// When ctx ends, a walk stops in the middle of a large directory, because it would need a stat for
// each further name. In this test, ctx ends after the walk has checked it several times.
func TestWalkEndsInTheMiddleOfADirectory(t *testing.T) {
	const files = 3 * readAtOnce
	dir := t.TempDir()
	for i := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d", i)), nil, 0o666))
	}
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	tree := &Tree{Root: root}
	defer func() {
		require.NoError(t, tree.Close())
	}()

	for _, checks := range []int64{0, 1, 2, files / 2} {
		t.Run(fmt.Sprintf("ctx ends after %d checks", checks), func(t *testing.T) {
			const maxChecksAfterEnd = 4
			ctx := endingctx.New(t.Context(), checks)
			var last error
			for entry, err := range tree.Entries(ctx, &selection.Selection{}, "") {
				require.Error(t, err, "%s was listed", entry.Key)
				last = err
			}
			require.ErrorIs(t, last, storage.Canceled)
			require.LessOrEqual(t, ctx.Asked(), checks+maxChecksAfterEnd)
		})
	}

	t.Run("ctx does not end", func(t *testing.T) {
		count := 0
		for _, err := range tree.Entries(t.Context(), &selection.Selection{}, "") {
			require.NoError(t, err)
			count++
		}
		require.Equal(t, files, count)
	})
}

// A file such as a log may have grown since it was listed. It then does not match the ETag of its
// new content.
func TestMatchesETagOfAFileThatGrew(t *testing.T) {
	const text = "grown"
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "log"), []byte(text), 0o666))
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	tree := &Tree{Root: root}
	defer func() {
		require.NoError(t, tree.Close())
	}()
	sum := md5.Sum([]byte(text))
	etag := hex.EncodeToString(sum[:])

	unchanged := Entry{Key: "log", Size: int64(len(text))}
	require.True(t, tree.MatchesETag(t.Context(), unchanged, etag))

	shorter := Entry{Key: "log", Size: int64(len(text)) - 2}
	require.False(t, tree.MatchesETag(t.Context(), shorter, etag))
}
