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

// key returns the key with the number i. A tenth of the keys are in seven small folders, and all
// others in one large folder.
func (n manyKeys) key(i int) string {
	if i < int(n)/10 {
		return fmt.Sprintf("a/%d/%07d.jpg", i%7, i)
	}
	return fmt.Sprintf("photos/2026/%07d.jpg", i)
}

// shardOf returns the options for the shard with the number i. The bounds divide the keys into
// shards.
func shardOf(i int, bounds []string) []transfer.Option {
	return []transfer.Option{transfer.WithShard(i, len(bounds)+1), transfer.WithShardBounds(bounds...)}
}

// ShardBounds returns bounds that divide the keys into shards. The sizes of the shards differ by at
// most a tenth.
func TestShardBoundsMakeShardsOfNearlyEqualSize(t *testing.T) {
	const keys, shards = 640_000, 64
	bounds, err := transfer.ShardBounds(t.Context(), manyKeys(keys), shards)
	require.NoError(t, err)
	require.Len(t, bounds, shards-1)
	require.True(t, slices.IsSorted(bounds))

	sizes := make([]int, shards)
	for i := range keys {
		// Each bound is the last key of its shard. So BinarySearch finds the shard of a key.
		shard, _ := slices.BinarySearch(bounds, manyKeys(keys).key(i))
		sizes[shard]++
	}
	const want = keys / shards
	for _, size := range sizes {
		require.InDelta(t, want, size, want/10)
	}
}

// newHalfCopied returns a bucket with n objects, and a bucket that has half of them. It also
// returns the counter of the calls of the first bucket.
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
	const keys, shards = 3000, 4

	// The destination lacks half of the keys, and has one that the source does not have.
	src, dst, _ := newHalfCopied(t, keys)
	put(t, dst, "b/extraneous", "x")
	bounds, err := transfer.ShardBounds(t.Context(), src, shards)
	require.NoError(t, err)

	var transferred, deleted int64
	for i := range shards {
		opts := append(shardOf(i, bounds), transfer.WithDelete(), transfer.WithMissingOnly())
		report, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), opts...)
		require.NoError(t, err)
		transferred += report.Transferred
		deleted += report.Deleted
	}

	require.EqualValues(t, keys/2, transferred)
	require.EqualValues(t, 1, deleted)

	// The buckets are equal now.
	comparison, err := transfer.Compare(t.Context(), transfer.Bucket(src), transfer.Bucket(dst), nil,
		transfer.WithSizeOnly())
	require.NoError(t, err)
	require.True(t, comparison.Equal())
}

// Each job of a shard lists only its range of keys. So the jobs of all shards together list a
// bucket little more than once.
func TestWithShardBoundsListsOnlyItsRange(t *testing.T) {
	const keys, shards = 8000, 4
	src, dst, calls := newHalfCopied(t, keys)

	// A listing of all keys takes this number of calls.
	collectEntries(t, src.List(t.Context()))
	wholeListing := calls.count("List")

	bounds, err := transfer.ShardBounds(t.Context(), src, shards)
	require.NoError(t, err)

	tests := []struct {
		name string
		run  func(t *testing.T, opts ...transfer.Option)
	}{
		{
			name: "Sync",
			run: func(t *testing.T, opts ...transfer.Option) {
				_, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), opts...)
				require.NoError(t, err)
			},
		},
		{
			name: "Compare",
			run: func(t *testing.T, opts ...transfer.Option) {
				_, err := transfer.Compare(t.Context(), transfer.Bucket(src), transfer.Bucket(dst), nil, opts...)
				require.NoError(t, err)
			},
		},
		{
			name: "Expire",
			run: func(t *testing.T, opts ...transfer.Option) {
				rules := []transfer.ExpireRule{{Age: 1000 * time.Hour}}
				report, err := transfer.Expire(t.Context(), src, rules, opts...)
				require.NoError(t, err)
				require.Zero(t, report.Deleted)
			},
		},
		{
			name: "Remove",
			run: func(t *testing.T, opts ...transfer.Option) {
				report, err := transfer.Remove(t.Context(), src, append(opts, transfer.WithDryRun())...)
				require.NoError(t, err)
				require.InDelta(t, keys/shards, report.Deleted, keys/shards/10)
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := calls.count("List")
			for i := range shards {
				opts := append(shardOf(i, bounds), transfer.WithSizeOnly())
				tt.run(t, opts...)
			}

			// A shard may begin within a page, and one page is prefetched.
			const extraOfShard = 2
			require.LessOrEqual(t, calls.count("List")-before, wholeListing+shards*extraOfShard)
		})
	}
}

// If the source has no keys in the range of a shard, WithDelete removes the destination's keys in
// that range. If the whole source is empty, WithDelete removes nothing.
func TestWithShardBoundsEmptyRange(t *testing.T) {
	src := memstore.New()
	dst := memstore.New()
	put(t, dst, "a", "x")
	put(t, dst, "b", "x")
	keysUpToM := append(shardOf(0, []string{"m"}), transfer.WithDelete())

	// The whole source is empty.
	_, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), keysUpToM...)
	require.Equal(t, storage.ObjectNotFound, storage.CodeOf(err), "the source is empty: %v", err)

	// The source has a key outside of the range.
	put(t, src, "z", "x")
	report, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), keysUpToM...)
	require.NoError(t, err)
	require.EqualValues(t, 2, report.Deleted)
}

// WithShardBounds misses no key of stores that list keys in any order: together, its shards copy
// and remove every key.
func TestWithShardBoundsListInAnyOrder(t *testing.T) {
	const keys, shards = 100, 3
	src := engine.New(memstore.NewDriver(memstore.Config{AnyOrder: true}))
	dst := engine.New(memstore.NewDriver(memstore.Config{AnyOrder: true}))
	for i := range keys {
		put(t, src, manyKeys(keys).key(i), "x")
	}

	bounds, err := transfer.ShardBounds(t.Context(), src, shards)
	require.NoError(t, err)

	// For each shard, one job transfers the keys of the shard, and another one removes them from
	// the destination.
	var transferred, removed int64
	for i := range shards {
		report, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src),
			shardOf(i, bounds)...)
		require.NoError(t, err)
		transferred += report.Transferred

		report, err = transfer.Remove(t.Context(), dst, shardOf(i, bounds)...)
		require.NoError(t, err)
		removed += report.Deleted
	}

	require.EqualValues(t, keys, transferred)
	require.EqualValues(t, keys, removed)
}

// ShardBounds puts each key into one shard, even if there are fewer keys than shards.
func TestShardBoundsOfFewKeys(t *testing.T) {
	const shards = 5
	for keys := range shards - 1 {
		t.Run(fmt.Sprintf("%d keys", keys), func(t *testing.T) {
			bounds, err := transfer.ShardBounds(t.Context(), manyKeys(keys), shards)
			require.NoError(t, err)
			require.Len(t, bounds, shards-1)

			// All shards together select each key once.
			selected := 0
			for i := range shards {
				filter, err := transfer.NewFilter(shardOf(i, bounds)...)
				require.NoError(t, err)
				for entry, err := range manyKeys(keys).List(t.Context()) {
					require.NoError(t, err)
					if filter.Selects(entry) {
						selected++
					}
				}
			}
			require.Equal(t, keys, selected)
		})
	}
}

// NewFilter fails with InvalidArgument if the bounds are not in order, or do not fit the shards of WithShard.
func TestWithShardBoundsRefused(t *testing.T) {
	tests := []struct {
		name string
		opts []transfer.Option
	}{
		{
			name: "not in order",
			opts: []transfer.Option{transfer.WithShard(0, 3), transfer.WithShardBounds("b", "a")},
		},
		{
			name: "too few",
			opts: []transfer.Option{transfer.WithShard(0, 3), transfer.WithShardBounds("a")},
		},
		{
			name: "too many",
			opts: []transfer.Option{transfer.WithShard(0, 3), transfer.WithShardBounds("a", "b", "c")},
		},
		{
			name: "without WithShard",
			opts: []transfer.Option{transfer.WithShardBounds("a")},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := transfer.NewFilter(tt.opts...)
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
			require.ErrorContains(t, err, "WithShardBounds")
		})
	}
}

// ShardBounds needs at least one shard and a source.
func TestShardBoundsRefused(t *testing.T) {
	const noShards = 0
	_, err := transfer.ShardBounds(t.Context(), manyKeys(9), noShards)
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))

	_, err = transfer.ShardBounds(t.Context(), nil, 2)
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
}

// A job refuses the journal of a job with other shard bounds, because the other job had other keys.
func TestWithJournalOfOtherBounds(t *testing.T) {
	src := memstore.New()
	put(t, src, "a", "x")
	journals := memstore.New()
	failFirstPut := driver.WithLayer(faults.New(faults.Fail(faults.Put).Nth(1)).Layer())
	dst := memstore.New(failFirstPut, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))

	// The bound divides the keys into two shards.
	syncFirstShard := func(bound string) error {
		opts := append(shardOf(0, []string{bound}), transfer.WithJournal(journals, "j"))
		_, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), opts...)
		return err
	}

	require.Error(t, syncFirstShard("m"), "the job is interrupted, and leaves its journal")
	require.ErrorIs(t, syncFirstShard("n"), storage.InvalidArgument, "the journal has another bound")
	require.NoError(t, syncFirstShard("m"), "the journal is that of the same job")
}
