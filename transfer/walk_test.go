package transfer

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// endsAfter is a context that ends when it has been asked so many times.
type endsAfter struct {
	context.Context
	asks  int64
	asked atomic.Int64
}

func (c *endsAfter) Err() error {
	if c.asked.Add(1) > c.asks {
		return context.Canceled
	}
	return nil
}

// Each name of a directory costs a stat, so the walk does not read all of a large one.
func TestAWalkEndsInTheMiddleOfADirectory(t *testing.T) {
	const files = 3 * readAtOnce
	dir := t.TempDir()
	for i := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d", i)), nil, 0o666))
	}
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	w := &tree{root: root}
	defer func() { require.NoError(t, w.close()) }()
	for _, asks := range []int64{0, 1, 2, files / 2} {
		ctx := &endsAfter{Context: t.Context(), asks: asks}
		var last error
		for e, err := range w.entries(ctx, &settings{}, "") {
			require.Error(t, err, "%s was listed", e.key)
			last = err
		}
		require.ErrorIs(t, last, storage.Canceled)
		require.LessOrEqual(t, ctx.asked.Load(), asks+4)
	}
	seen := 0
	for _, err := range w.entries(t.Context(), &settings{}, "") {
		require.NoError(t, err)
		seen++
	}
	require.Equal(t, files, seen)
}
