package transfer_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// newGeneratedInventory returns a bucket without objects, and an inventory that says that it has n of them: three
// quarters are in one folder. The rows are in no order.
func newGeneratedInventory(t *testing.T, n int) (storage.Bucket, *transfer.Inventory) {
	t.Helper()
	const prime = 7919 // its multiples modulo n are all numbers below n, in no order
	r := &s3Report{schema: "Bucket, Key, Size, LastModifiedDate"}
	for k := range n {
		key := fmt.Sprintf("%07d", k*prime%n)
		if k%4 > 0 {
			key = "folder/" + key
		}
		r.rows = append(r.rows, []string{"photos", key, "1", "2026-01-01T00:00:00Z"})
	}

	b := inCloud("s3")
	reports := memstore.New()
	r.write(t, reports)
	return b, openInventory(t, b, reports)
}

// WithShard with an inventory divides the keys into ranges of nearly equal size.
func TestInventoryShardsAreOfEqualSize(t *testing.T) {
	const shards = 6
	n := testserver.Sample(12_000, 60_000)
	b, i := newGeneratedInventory(t, n)

	var all []string
	for shard := range shards {
		var keys []string
		_, err := transfer.Compare(t.Context(), transfer.Bucket(b), transfer.Bucket(memstore.New()),
			func(d transfer.Difference) {
				keys = append(keys, d.Key)
			}, transfer.WithInventory(i), transfer.WithShard(shard, shards))
		require.NoError(t, err)
		slices.Sort(keys)
		require.InDelta(t, n/shards, len(keys), float64(n)/shards/10, "within 10 %")
		if len(all) > 0 {
			require.Greater(t, keys[0], all[len(all)-1], "ranges follow one another")
		}
		all = append(all, keys...)
	}
	require.Len(t, all, n)
}

// If an inventory has fewer objects than shards, each object is in one shard.
func TestInventoryMoreShardsThanObjects(t *testing.T) {
	const shards = 5
	for objects := range shards - 1 {
		t.Run(fmt.Sprintf("%d objects", objects), func(t *testing.T) {
			b, inventory := newGeneratedInventory(t, objects)
			var sum int64
			for shard := range shards {
				comparison, err := transfer.Compare(t.Context(), transfer.Bucket(b), transfer.Bucket(memstore.New()), nil,
					transfer.WithInventory(inventory), transfer.WithShard(shard, shards))
				require.NoError(t, err)
				sum += comparison.OnlyFirst
			}
			require.EqualValues(t, objects, sum)
		})
	}
}

// A shard by inventory lists only its range of the destination. A shard by hash must list the whole destination.
func TestInventoryShardsListOnlyTheirRange(t *testing.T) {
	const shards = 4
	b, inventory := newGeneratedInventory(t, 8000)
	shardPages := 0 // of all shards together
	allPages := 0   // of one listing of the destination
	for shard := range shards {
		var recorder calls
		dst := memstore.New(recorder.layer())
		for _, e := range collectEntries(t, inventory.List(t.Context())) {
			put(t, dst, e.Key, "x")
		}
		collectEntries(t, dst.List(t.Context()))
		allPages = recorder.count("List")

		comparison, err := transfer.Compare(t.Context(), transfer.Bucket(b), transfer.Bucket(dst), nil,
			transfer.WithInventory(inventory), transfer.WithShard(shard, shards), transfer.WithSizeOnly())
		require.NoError(t, err)
		require.True(t, comparison.Equal())
		shardPages += recorder.count("List") - allPages
	}
	require.LessOrEqual(t, shardPages, allPages+2*shards,
		"pages are not aligned to ranges, and the next one is prefetched")
}
