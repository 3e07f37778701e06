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

// If ctx ends while a large directory is listed, the walk stops at once, because each name costs a stat.
func TestWalkEndsInTheMiddleOfADirectory(t *testing.T) {
	const files = 3 * readAtOnce
	dir := t.TempDir()
	for i := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d", i)), nil, 0o666))
	}
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	w := &Tree{Root: root}
	defer func() {
		require.NoError(t, w.Close())
	}()

	for _, asks := range []int64{0, 1, 2, files / 2} {
		ctx := endingctx.New(t.Context(), asks)
		var last error
		for e, err := range w.Entries(ctx, &selection.Selection{}, "") {
			require.Error(t, err, "%s was listed", e.Key)
			last = err
		}
		require.ErrorIs(t, last, storage.Canceled)
		require.LessOrEqual(t, ctx.Asked(), asks+4)
	}

	count := 0
	for _, err := range w.Entries(t.Context(), &selection.Selection{}, "") {
		require.NoError(t, err)
		count++
	}
	require.Equal(t, files, count)
}

// If a file such as a log has grown since it was listed, it does not match an ETag of its new content.
func TestMatchesETagOfAFileThatGrew(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "log"), []byte("grown"), 0o666))
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	w := &Tree{Root: root}
	defer func() {
		require.NoError(t, w.Close())
	}()
	sum := md5.Sum([]byte("grown"))

	for size, matches := range map[int64]bool{5: true, 3: false} {
		require.Equal(t, matches,
			w.MatchesETag(t.Context(), Entry{Key: "log", Size: size}, hex.EncodeToString(sum[:])))
	}
}
