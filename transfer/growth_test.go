package transfer_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// An endless Core generates keys while it is listed, and measures the memory in use.
type endless struct {
	storage.Core
	keys    int
	start   int           // the first key's number
	peak    *uint64       // the most bytes in use during a listing; not measured if nil
	removed *atomic.Int64 // counts removals
}

// List generates the keys, in order. It measures the memory after each measureEvery keys.
func (e endless) List(ctx context.Context, _ *storage.ListOptions) iter.Seq2[storage.ListEntry, error] {
	const measureEvery = 50_000
	return func(yield func(storage.ListEntry, error) bool) {
		for i := range e.keys {
			if e.peak != nil && i%measureEvery == measureEvery-1 {
				var stats runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&stats)
				*e.peak = max(*e.peak, stats.HeapAlloc)
			}
			entry := storage.ListEntry{
				Key:      fmt.Sprintf("a/rather/long/key/%012d", e.start+i),
				Size:     1,
				Modified: longAgo,
			}
			if !yield(entry, nil) {
				return
			}
		}
	}
}

func (e endless) Remove(context.Context, string, *storage.RemoveOptions) error {
	e.removed.Add(1)
	return nil
}

func (e endless) RemoveAll(ctx context.Context, keys iter.Seq[string]) (int, error) {
	return wrapped.RemoveEach(ctx, e, keys)
}

// bucket returns a bucket that generates the keys of e.
func (e endless) bucket(t *testing.T) storage.Bucket {
	return wrapped.Bucket(t, memstore.New(), func(c storage.Core) storage.Core {
		e.Core = c
		return e
	})
}

// The memory of a job does not grow with the number of keys.
func TestJobMemoryIsBounded(t *testing.T) {
	const keys = 100_000
	const maxGrowth = 6 << 20 // bytes; the keys take more

	// The buckets generate their keys while they are listed. The keys of the destination come after
	// those of the source.
	var peak uint64           // the most bytes in use, which the bucket with it measures during its listing
	var removals atomic.Int64 // of keys of the destination
	src := endless{keys: keys, peak: &peak}.bucket(t)
	dst := endless{keys: keys, start: keys, removed: &removals}.bucket(t)

	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)

	// The source lacks all keys of the destination. A dry run lists both.
	report, err := transfer.Copy(t.Context(), dst, src, transfer.WithDelete(), transfer.WithDryRun())
	require.NoError(t, err)
	require.Equal(t, int64(keys), report.Transferred)
	require.Equal(t, int64(keys), report.Deleted)

	// The source has no keys, so all keys of the destination are removed.
	dst = endless{keys: keys, peak: &peak, removed: &removals}.bucket(t)
	report, err = transfer.Copy(t.Context(), dst, newFilledBucket(t, nil),
		transfer.WithDelete(), transfer.WithEmptySource())
	require.NoError(t, err)
	require.Equal(t, int64(keys), report.Deleted)
	require.Equal(t, int64(keys), removals.Load())

	require.Less(t, int64(peak)-int64(before.HeapAlloc), int64(maxGrowth))
}

// A destination may be large. A job lists only the parts of it that are near the keys of the
// source.
func TestJobListsDestinationNearSource(t *testing.T) {
	const keys = 20_000
	const maxPages = 9 // of 79
	src := newTree(t, map[string]string{"00000": "00000", "19990": "19990", "zz": "new"})
	var recorder calls
	dst := newFilledBucket(t, numberedKeys(keys), recorder.layer())
	listsBefore := recorder.count("List")

	report, err := transfer.Upload(t.Context(), dst, src)
	require.NoError(t, err)
	require.Equal(t, int64(2), report.Skipped)
	require.Equal(t, int64(1), report.Transferred)
	require.LessOrEqual(t, recorder.count("List")-listsBefore, maxPages)
}

// A destination directory cannot be listed from the middle. So a job lists it only once, even if it has many files that
// the source lacks.
func TestJobDestinationDirectoryHasManyFiles(t *testing.T) {
	const files = 2500
	dst := t.TempDir()
	for _, key := range numberedKeys(files) {
		require.NoError(t, os.WriteFile(filepath.Join(dst, key), nil, 0o644))
	}

	// Listing the directory again for each page would take longer than this.
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()

	tests := []struct {
		name string
		src  transfer.End
	}{
		{name: "source is a bucket", src: transfer.Bucket(newFilledBucket(t, []string{"zzz"}))},
		{name: "source is a directory", src: transfer.Dir(newTree(t, map[string]string{"zzz": "longer"}))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			report, err := transfer.Sync(ctx, transfer.Dir(dst), tt.src)
			require.NoError(t, err)
			require.Equal(t, int64(1), report.Transferred)
		})
	}
}
