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
// quarters are in one folder.
func newGeneratedInventory(t *testing.T, n int) (storage.Bucket, *transfer.Inventory) {
	t.Helper()
	r := &s3Report{schema: "Bucket, Key, Size, LastModifiedDate"}
	for k := range n {
		key := fmt.Sprintf("%07d", k*7919%n)
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
	for n := range 4 {
		b, i := newGeneratedInventory(t, n)
		var all int64
		for shard := range 5 {
			c, err := transfer.Compare(t.Context(), transfer.Bucket(b), transfer.Bucket(memstore.New()), nil,
				transfer.WithInventory(i), transfer.WithShard(shard, 5))
			require.NoError(t, err)
			all += c.OnlyFirst
		}
		require.EqualValues(t, n, all)
	}
}

// A shard by inventory lists only its range of the destination. A shard by hash must list the whole destination.
func TestInventoryShardsListOnlyTheirRange(t *testing.T) {
	b, i := newGeneratedInventory(t, 8000)
	pages, size := 0, 0
	for shard := range 4 {
		var recorder calls
		dst := memstore.New(recorder.layer())
		for _, e := range collectEntries(t, i.List(t.Context())) {
			put(t, dst, e.Key, "x")
		}
		collectEntries(t, dst.List(t.Context()))
		size = recorder.count("List")

		c, err := transfer.Compare(t.Context(), transfer.Bucket(b), transfer.Bucket(dst), nil,
			transfer.WithInventory(i), transfer.WithShard(shard, 4), transfer.WithSizeOnly())
		require.NoError(t, err)
		require.True(t, c.Equal())
		pages += recorder.count("List") - size
	}
	require.LessOrEqual(t, pages, size+2*4, "pages are not aligned to ranges, and the next one is prefetched")
}
