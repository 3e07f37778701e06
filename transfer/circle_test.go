package transfer_test

import (
	"context"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// The test copies a tree around a circle of stores. A stop is one of these stores, with a name.
type stop struct {
	name string
	end  transfer.End
}

// syncRound transfers a tree from each stop to the next one. It does so twice, and the second transfer must find
// nothing to do.
func syncRound(t *testing.T, h *hostileTree, stops []stop) {
	t.Helper()
	last := h.dir
	end := transfer.Dir(h.dir)
	for i, s := range stops {
		failing := int64(0)
		changing := int64(0)
		ignored := int64(0)
		if i == 0 {
			failing = h.failing
			changing = int64(len(h.restive))
			ignored = h.ignored
		}
		report, err := transfer.Sync(context.Background(), s.end, end)
		t.Logf("%s -> %s: %v", last, s.name, report)
		if failing == 0 {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorIs(t, err, storage.Changed)
		}

		require.Equal(t, int64(len(h.good)), report.Transferred)
		require.Equal(t, map[storage.Code]int64{storage.InvalidArgument: failing, storage.Changed: changing}, codes(report))
		require.Equal(t, failing+changing, report.Failed)
		require.Equal(t, ignored, report.Ignored)
		require.Zero(t, report.Skipped)
		require.Equal(t, h.bytes, report.Bytes)

		second, _ := transfer.Sync(context.Background(), s.end, end)
		t.Logf("again: %v", second)
		require.Zero(t, second.Transferred)
		require.Zero(t, second.Bytes)
		require.Equal(t, int64(len(h.good)), second.Skipped)
		require.Equal(t, failing+changing, second.Failed)

		last = s.name
		end = s.end
	}
}

// codes counts failures.
func codes(report *transfer.Report) map[storage.Code]int64 {
	counts := map[storage.Code]int64{storage.InvalidArgument: 0, storage.Changed: 0}
	for _, f := range report.Failures {
		counts[storage.CodeOf(f.Err)]++
	}
	return counts
}

// A tree with strange names is synced through buckets and directories, one after another. At the
// end, it is unchanged.
func TestTreeComesBackIdentical(t *testing.T) {
	// The tree has 200 files, or 600 in a long run. The largest one has 20 MiB. Stores refuse some of the names.
	files, largest := treeSize(t, testserver.Sample(200, 600), 20<<20)
	h := plantTree(t, files, largest)
	last := t.TempDir()

	// syncRound requires that each stop gets all files that stores accept. The first stop changes
	// some files while it reads them.
	syncRound(t, h, []stop{
		{"memory", transfer.Bucket(memstore.New(h.meddling(t)))},
		{"local", transfer.Bucket(newLocalBucket(t))},
		{"another memory", transfer.Bucket(memstore.New())},
		{"a directory", transfer.Dir(t.TempDir())},
		{"another directory", transfer.Dir(last)},
	})

	require.Equal(t, h.good, fingerprints(t, last))
	requireTimes(t, h, last)
}

// treeSize returns the number of files in the tree that is copied around the circle, and the size
// of the largest file. The variables OMNIBUCKET_TRANSFER_FILES and OMNIBUCKET_TRANSFER_LARGEST
// replace the given values.
func treeSize(t *testing.T, files int, largest int64) (int, int64) {
	t.Helper()
	number := func(variable string, standard int64) int64 {
		text := os.Getenv(variable)
		if text == "" {
			return standard
		}
		n, err := strconv.ParseInt(text, 10, 64)
		require.NoError(t, err, variable)
		return n
	}
	return int(number("OMNIBUCKET_TRANSFER_FILES", int64(files))), number("OMNIBUCKET_TRANSFER_LARGEST", largest)
}
