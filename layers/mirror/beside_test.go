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

// RepairAll knows which store is right even if writes happen between any two of its calls.
func TestRepairAllBesideWrites(t *testing.T) {
	const maxCalls = 24 // of one RepairAll
	for firstCall := int64(1); firstCall <= maxCalls; firstCall++ {
		for secondCall := firstCall + 1; secondCall <= maxCalls+1; secondCall++ {
			repairBesideWrites(t, firstCall, secondCall)
		}
	}
}

// repairBesideWrites calls RepairAll, and writes an object just before two of RepairAll's calls to the stores.
// firstCall and secondCall are the numbers of these calls.
func repairBesideWrites(t *testing.T, firstCall, secondCall int64) {
	var calls atomic.Int64
	var writeBefore func(call int64) // nil if no write is to be made
	counted := func(d driver.Driver) driver.Driver {
		intercept := func(ctx context.Context, _ string, next func(context.Context) error) error {
			call := calls.Add(1)
			isChosen := call == firstCall || call == secondCall
			if writeBefore != nil && isChosen {
				// The calls of the write itself are not counted, and cause no further write.
				write := writeBefore
				writeBefore = nil
				write(call)
				calls.Store(call)
				writeBefore = write
			}
			return next(ctx)
		}
		return driver.Intercept(d, intercept)
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

	writeBefore = func(call int64) {
		put(strconv.FormatInt(call, 10))
	}
	calls.Store(0)
	_, err = mirror.RepairAll(t.Context(), b)
	writeBefore = nil
	require.NoError(t, err, "writes before the calls %d and %d", firstCall, secondCall)

	inPrimary, _, err := storage.ReadAll(t.Context(), engine.New(primary), "k")
	require.NoError(t, err)
	inSecond, _, err := storage.ReadAll(t.Context(), engine.New(second), "k")
	require.NoError(t, err)
	require.Equal(t, string(inPrimary), string(inSecond), "writes before the calls %d and %d", firstCall, secondCall)
}

// The programs mv and cp -a may put a file with an old time into the second store. RepairAll does not remove such a
// file.
func TestRepairAllKeepsAFileThatWasPutThereLater(t *testing.T) {
	dir := t.TempDir()
	secondDriver, err := local.NewDriver(dir, local.Config{})
	require.NoError(t, err)
	second := engine.New(secondDriver)
	t.Cleanup(func() { _ = storage.Close(second) })
	layer, err := mirror.New(second, mirror.Config{})
	require.NoError(t, err)
	b := memstore.New(driver.WithLayer(layer))

	// Both stores are equal, and RepairAll has marked them as equal.
	_, err = b.Upload(t.Context(), "k", strings.NewReader("text"))
	require.NoError(t, err)
	_, err = mirror.RepairAll(t.Context(), b)
	require.NoError(t, err)

	// Then a file with an older time appears.
	path := filepath.Join(dir, "moved")
	require.NoError(t, os.WriteFile(path, []byte("the only copy"), 0o600))
	past := time.Now().Add(-24 * time.Hour)
	require.NoError(t, os.Chtimes(path, past, past))

	// Despite its time, the file is not taken for one that the primary has removed.
	report, err := mirror.RepairAll(t.Context(), b)
	require.ErrorIs(t, err, storage.PreconditionFailed)
	require.EqualValues(t, 1, report.Undecided)
	require.FileExists(t, path)
}
