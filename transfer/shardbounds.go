package transfer

import (
	"context"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer/internal/selection"
)

// WithShardBounds makes each shard of [WithShard] a range of keys instead of keys with certain hashes,
// so that each job lists only its range of a bucket. Shard 0 has the keys up to and including the first
// bound, and the last shard has the keys after the last bound. [ShardBounds] computes bounds. All jobs
// must have the same bounds; otherwise a key may be in two shards, or in none.
//
// Like keys, bounds are relative to the source and the destination. A directory, an inventory, and a
// bucket that lists in no order are still read completely. The bounds must be in ascending order, and
// there must be one bound less than there are shards. Otherwise the job fails with InvalidArgument.
func WithShardBounds(bounds ...string) Option {
	bounds = slices.Clone(bounds)
	return checked(
		slices.IsSorted(bounds), "WithShardBounds", "must have keys in their order",
		func(s *settings) {
			s.files.Bounds = bounds
			s.files.Bounded = true
		},
	)
}

// ShardBounds returns the n-1 keys for [WithShardBounds] that divide the keys of a bucket or an
// [Inventory] into n shards of about equal size. With up to 64 shards, their sizes differ by a few
// percent. It reads src once, and accepts [WithPrefix], [WithInclude], [WithExclude] and [WithKeys]. It
// keeps at most 524,288 keys in memory, at some hundred bytes each. If n is below 1 or src is nil, it
// fails with InvalidArgument.
func ShardBounds(ctx context.Context, src storage.Lister, n int, opts ...Option) ([]string, error) {
	s := readOptions(opts)
	if n < 1 || src == nil {
		s.fail("ShardBounds", "must have a bucket or an inventory, and at least 1 shard")
	}
	if s.err != nil {
		return nil, setOp("ShardBounds", s.err)
	}

	list := src.List(ctx, storage.WithPrefix(s.files.Prefix), storage.WithAnyOrder())
	if i, ok := src.(*Inventory); ok {
		// The order of the keys does not matter.
		list = i.rows.Objects(ctx, s.files.Prefix)
	}
	return s.files.DivideKeys(list, n)
}

// checkBounds makes the shard a range of keys, if the job has bounds. It fails if their number does not
// fit that of the shards.
func (s *settings) checkBounds() {
	if !s.files.Bounded {
		return
	}
	if uint64(len(s.files.Bounds))+1 != s.files.Shards {
		s.fail("WithShardBounds", "must have one key less than WithShard has shards")
		return
	}
	s.files.UseBounds()
}

// splitByInventory makes the shard of the job a range of keys, with bounds that it computes from the
// inventory.
func (s *settings) splitByInventory(ctx context.Context) error {
	if s.inventory == nil || s.files.Shards <= 1 || s.files.Bounded {
		return nil
	}

	// The ranges must divide all keys, not only those that pass the filters: the journal relies on it.
	unfiltered := &selection.Selection{}
	objects := s.inventory.rows.Objects(ctx, s.files.Prefix)
	bounds, err := unfiltered.DivideKeys(objects, int(s.files.Shards))
	if err != nil {
		return err
	}
	s.files.Bounds = bounds
	s.files.UseBounds()
	return nil
}
