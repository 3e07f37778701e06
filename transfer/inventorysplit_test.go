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

// newGeneratedInventory returns a bucket without objects, and an inventory that lists n objects for
// it. Three quarters of these are in one folder. The rows are in no order.
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

	b := newBucketOfProvider("s3")
	reports := memstore.New()
	r.write(t, reports)
	return b, openInventory(t, b, reports)
}

// With an inventory, WithShard divides the keys into successive ranges. The sizes of the ranges
// differ by at most a tenth.
func TestInventoryShardsAreOfEqualSize(t *testing.T) {
	const shards = 6
	count := testserver.Sample(12_000, 60_000)
	b, inventory := newGeneratedInventory(t, count)

	var allKeys []string
	for shard := range shards {
		// The destination is empty, so each key of the shard counts as a difference.
		var keys []string
		collect := func(d transfer.Difference) {
			keys = append(keys, d.Key)
		}
		_, err := transfer.Compare(t.Context(), transfer.Bucket(b), transfer.Bucket(memstore.New()), collect,
			transfer.WithInventory(inventory), transfer.WithShard(shard, shards))
		require.NoError(t, err)

		slices.Sort(keys)
		tenth := float64(count) / shards / 10
		require.InDelta(t, count/shards, len(keys), tenth)
		if len(allKeys) > 0 {
			require.Greater(t, keys[0], allKeys[len(allKeys)-1], "ranges follow one another")
		}
		allKeys = append(allKeys, keys...)
	}
	require.Len(t, allKeys, count)
}

// Each object of an inventory is in one shard, even if there are fewer objects than shards.
func TestInventoryMoreShardsThanObjects(t *testing.T) {
	const shards = 5
	for objects := range shards - 1 {
		t.Run(fmt.Sprintf("%d objects", objects), func(t *testing.T) {
			b, inventory := newGeneratedInventory(t, objects)

			var selected int64
			for shard := range shards {
				comparison, err := transfer.Compare(t.Context(), transfer.Bucket(b), transfer.Bucket(memstore.New()), nil,
					transfer.WithInventory(inventory), transfer.WithShard(shard, shards))
				require.NoError(t, err)
				selected += comparison.OnlyFirst
			}
			require.EqualValues(t, objects, selected)
		})
	}
}

// With an inventory, each shard lists only its range of the destination. All shards together list
// the destination little more than once.
func TestInventoryShardsListOnlyTheirRange(t *testing.T) {
	const keys, shards = 8000, 4
	b, inventory := newGeneratedInventory(t, keys)
	shardPages := 0   // of all shards together
	listingPages := 0 // of one listing of the destination
	for shard := range shards {
		var recorder calls
		dst := memstore.New(recorder.layer())
		for _, entry := range collectEntries(t, inventory.List(t.Context())) {
			put(t, dst, entry.Key, "x")
		}

		// Count the pages of one listing of the whole destination.
		collectEntries(t, dst.List(t.Context()))
		listingPages = recorder.count("List")

		comparison, err := transfer.Compare(t.Context(), transfer.Bucket(b), transfer.Bucket(dst), nil,
			transfer.WithInventory(inventory), transfer.WithShard(shard, shards), transfer.WithSizeOnly())
		require.NoError(t, err)
		require.True(t, comparison.Equal())
		shardPages += recorder.count("List") - listingPages
	}

	// A range may begin in the middle of a page of the listing, and one page is prefetched.
	const extraPages = 2
	require.LessOrEqual(t, shardPages, listingPages+shards*extraPages)
}
