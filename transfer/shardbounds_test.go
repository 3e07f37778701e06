package transfer_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
)

// manyKeys lists n objects, of which most are in a few folders.
type manyKeys int

// List yields the n keys in their order.
func (n manyKeys) List(context.Context, ...storage.ListOption) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		for i := range int(n) {
			if !yield(storage.ListEntry{Key: n.key(i), Size: 1}, nil) {
				return
			}
		}
	}
}

// key returns the key with the number i. A tenth of the keys are in seven small folders, and the others in one.
func (n manyKeys) key(i int) string {
	if i < int(n)/10 {
		return fmt.Sprintf("a/%d/%07d.jpg", i%7, i)
	}
	return fmt.Sprintf("photos/2026/%07d.jpg", i)
}

// shardOf returns the options of one shard of all that the bounds make.
func shardOf(i int, bounds []string) []transfer.Option {
	return []transfer.Option{transfer.WithShard(i, len(bounds)+1), transfer.WithShardBounds(bounds...)}
}

// The bounds of ShardBounds divide the keys into shards of nearly equal size.
func TestShardBoundsMakeShardsOfNearlyEqualSize(t *testing.T) {
	const n, shards = 640_000, 64
	bounds, err := transfer.ShardBounds(t.Context(), manyKeys(n), shards)
	require.NoError(t, err)
	require.Len(t, bounds, shards-1)
	require.True(t, slices.IsSorted(bounds))

	sizes := make([]int, shards)
	for i := range n {
		shard, _ := slices.BinarySearch(bounds, manyKeys(n).key(i)) // a bound is the last key of its shard
		sizes[shard]++
	}
	t.Logf("%d to %d keys", slices.Min(sizes), slices.Max(sizes))
	for _, size := range sizes {
		require.InDelta(t, n/shards, size, n/shards/10, "within 10 %")
	}
}

// newHalfCopied returns a bucket with n objects, which counts its calls, and a bucket that has half of them.
func newHalfCopied(t *testing.T, n int) (from, to storage.Bucket, seen *calls) {
	t.Helper()
	seen = &calls{}
	from = memstore.New(seen.layer())
	to = memstore.New()
	for i := range n {
		key := manyKeys(n).key(i)
		put(t, from, key, "x")
		if i%2 == 0 {
			put(t, to, key, "x")
		}
	}
	return from, to, seen
}

// The shards of WithShardBounds together transfer and delete each file exactly once.
func TestWithShardBoundsDoesEachFileOnce(t *testing.T) {
	src, dst, _ := newHalfCopied(t, 3000)
	put(t, dst, "b/extraneous", "x")
	bounds, err := transfer.ShardBounds(t.Context(), src, 4)
	require.NoError(t, err)
	var n, deleted int64
	for i := range 4 {
		report, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src),
			append(shardOf(i, bounds), transfer.WithDelete(), transfer.WithMissingOnly())...)
		require.NoError(t, err)
		n += report.Transferred
		deleted += report.Deleted
	}

	require.EqualValues(t, 1500, n)
	require.EqualValues(t, 1, deleted)
	c, err := transfer.Compare(t.Context(), transfer.Bucket(src), transfer.Bucket(dst), nil,
		transfer.WithSizeOnly())
	require.NoError(t, err)
	require.True(t, c.Equal())
}

// A shard of WithShardBounds lists only its range of keys. A shard by hash must list all keys.
func TestWithShardBoundsListsOnlyItsRange(t *testing.T) {
	src, dst, calls := newHalfCopied(t, 8000)
	listed := func(job func()) int {
		lists := calls.count("List")
		job()
		return calls.count("List") - lists
	}
	size := listed(func() {
		collectEntries(t, src.List(t.Context()))
	})
	bounds, err := transfer.ShardBounds(t.Context(), src, 4)
	require.NoError(t, err)

	for name, job := range map[string]func(opts ...transfer.Option) error{
		"Sync": func(opts ...transfer.Option) error {
			_, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), opts...)
			return err
		},
		"Compare": func(opts ...transfer.Option) error {
			_, err := transfer.Compare(t.Context(), transfer.Bucket(src), transfer.Bucket(dst), nil, opts...)
			return err
		},
		"Expire": func(opts ...transfer.Option) error {
			report, err := transfer.Expire(t.Context(), src,
				[]transfer.ExpireRule{{Age: 1000 * time.Hour}}, opts...)
			require.Zero(t, report.Deleted)
			return err
		},
		"Remove": func(opts ...transfer.Option) error {
			report, err := transfer.Remove(t.Context(), src, append(opts, transfer.WithDryRun())...)
			require.InDelta(t, 2000, report.Deleted, 200)
			return err
		},
	} {
		pages := listed(func() {
			for i := range 4 {
				require.NoError(t, job(append(shardOf(i, bounds), transfer.WithSizeOnly())...))
			}
		})
		require.LessOrEqual(t, pages, size+2*4,
			"%s: pages are not aligned to ranges, and the next one is prefetched", name)
	}
}

// If the source has no keys in a shard's range, WithDelete removes the range's keys from the destination. If the
// whole source is empty, it removes nothing.
func TestWithShardBoundsEmptyRange(t *testing.T) {
	src := memstore.New()
	dst := memstore.New()
	for _, key := range []string{"a", "b"} {
		put(t, dst, key, "x")
	}

	first := append(shardOf(0, []string{"m"}), transfer.WithDelete())
	_, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), first...)
	require.Equal(t, storage.ObjectNotFound, storage.CodeOf(err), "the source is empty: %v", err)

	put(t, src, "z", "x")
	report, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), first...)
	require.NoError(t, err)
	require.EqualValues(t, 2, report.Deleted)
}

// WithShardBounds works with stores that list keys in any order.
func TestWithShardBoundsListInAnyOrder(t *testing.T) {
	src := engine.New(memstore.NewDriver(memstore.Config{AnyOrder: true}))
	dst := engine.New(memstore.NewDriver(memstore.Config{AnyOrder: true}))
	for i := range 100 {
		put(t, src, manyKeys(100).key(i), "x")
	}
	bounds, err := transfer.ShardBounds(t.Context(), src, 3)
	require.NoError(t, err)
	var n, removals int64
	for i := range 3 {
		report, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src),
			shardOf(i, bounds)...)
		require.NoError(t, err)
		n += report.Transferred
		report, err = transfer.Remove(t.Context(), dst, shardOf(i, bounds)...)
		require.NoError(t, err)
		removals += report.Deleted
	}

	require.EqualValues(t, []int64{100, 100}, []int64{n, removals})
}

// If there are fewer keys than shards, each key is still in one shard.
func TestShardBoundsOfFewKeys(t *testing.T) {
	for n := range 4 {
		bounds, err := transfer.ShardBounds(t.Context(), manyKeys(n), 5)
		require.NoError(t, err)
		require.Len(t, bounds, 4)

		count := 0
		for i := range 5 {
			f, err := transfer.NewFilter(shardOf(i, bounds)...)
			require.NoError(t, err)
			for e, err := range manyKeys(n).List(t.Context()) {
				require.NoError(t, err)
				if f.Selects(e) {
					count++
				}
			}
		}
		require.Equal(t, n, count)
	}
}

// NewFilter refuses bounds that do not fit WithShard. ShardBounds refuses a number of 0 shards, and nil.
func TestShardBoundsRefused(t *testing.T) {
	for name, opts := range map[string][]transfer.Option{
		"not in order":     {transfer.WithShard(0, 3), transfer.WithShardBounds("b", "a")},
		"too few":          {transfer.WithShard(0, 3), transfer.WithShardBounds("a")},
		"too many":         {transfer.WithShard(0, 3), transfer.WithShardBounds("a", "b", "c")},
		"without a number": {transfer.WithShardBounds("a")},
	} {
		_, err := transfer.NewFilter(opts...)
		require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), name)
		require.ErrorContains(t, err, "WithShardBounds", name)
	}

	_, err := transfer.ShardBounds(t.Context(), manyKeys(9), 0)
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
	_, err = transfer.ShardBounds(t.Context(), nil, 2)
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
}

// A job refuses a journal of a job with other shard bounds.
func TestWithJournalOfOtherBounds(t *testing.T) {
	src := memstore.New()
	state := memstore.New()
	put(t, src, "a", "x")
	dst := memstore.New(driver.WithLayer(faults.New(faults.Fail(faults.Put).Nth(1)).Layer()),
		storage.WithRetry(storage.RetryPolicy{Attempts: 1}))

	job := func(bound string) error {
		_, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src),
			append(shardOf(0, []string{bound}), transfer.WithJournal(state, "j"))...)
		return err
	}
	require.Error(t, job("m"), "it leaves its journal")
	require.ErrorIs(t, job("n"), storage.InvalidArgument, "another job")
	require.NoError(t, job("m"))
}
