package mirror_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
)

// If writes happen between any two calls of RepairAll, it still knows which store is right.
func TestRepairAllBesideWrites(t *testing.T) {
	const most = 24 // calls of one RepairAll
	for first := int64(1); first <= most; first++ {
		for last := first + 1; last <= most+1; last++ {
			repairBesideWrites(t, first, last)
		}
	}
}

// repairBesideWrites calls RepairAll, and writes an object before the calls of the stores with these numbers.
func repairBesideWrites(t *testing.T, first, last int64) {
	var calls atomic.Int64
	var write func(n int64)
	counted := func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, func(ctx context.Context, _ string, next func(context.Context) error) error {
			if n := calls.Add(1); write != nil && (n == first || n == last) {
				during := write
				write = nil
				during(n)
				calls.Store(n)
				write = during
			}
			return next(ctx)
		})
	}
	second := counted(memstore.NewDriver(memstore.Config{}))
	layer, err := mirror.New(engine.New(second), mirror.Config{})
	require.NoError(t, err)
	primary := counted(memstore.NewDriver(memstore.Config{}))
	b := engine.New(primary, driver.WithLayer(layer))
	put := func(text string) {
		_, err := b.Upload(t.Context(), "k", strings.NewReader(text))
		require.NoError(t, err)
	}
	put("0")
	_, err = mirror.RepairAll(t.Context(), b)
	require.NoError(t, err)

	write = func(n int64) {
		put(strconv.FormatInt(n, 10))
	}
	calls.Store(0)
	_, err = mirror.RepairAll(t.Context(), b)
	write = nil
	require.NoError(t, err, "writes before the calls %d and %d", first, last)
	var texts []string
	for _, d := range []driver.Driver{primary, second} {
		data, _, err := storage.ReadAll(t.Context(), engine.New(d), "k")
		require.NoError(t, err)
		texts = append(texts, string(data))
	}

	require.Equal(t, texts[0], texts[1], "writes before the calls %d and %d", first, last)
}

// A file that mv or cp -a puts into the second store keeps its old time. RepairAll does not remove such a file.
func TestRepairAllKeepsAFileThatWasPutThereLater(t *testing.T) {
	dir := t.TempDir()
	second, err := local.NewDriver(dir, local.Config{})
	require.NoError(t, err)
	bucket := engine.New(second)
	t.Cleanup(func() { _ = storage.Close(bucket) })
	layer, err := mirror.New(bucket, mirror.Config{})
	require.NoError(t, err)
	b := memstore.New(driver.WithLayer(layer))
	_, err = b.Upload(t.Context(), "k", strings.NewReader("text"))
	require.NoError(t, err)
	_, err = mirror.RepairAll(t.Context(), b)
	require.NoError(t, err)

	path := filepath.Join(dir, "moved")
	require.NoError(t, os.WriteFile(path, []byte("the only copy"), 0o600))
	past := time.Now().Add(-24 * time.Hour)
	require.NoError(t, os.Chtimes(path, past, past))

	report, err := mirror.RepairAll(t.Context(), b)
	require.ErrorIs(t, err, storage.PreconditionFailed)
	require.EqualValues(t, 1, report.Undecided)
	require.FileExists(t, path)
}
