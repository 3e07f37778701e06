package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"math"
	"slices"

	"github.com/omnibucket/storage"
)

const (
	// sampledKeys is the number of sampled keys for each shard. With 4096 sampled keys, the numbers
	// of keys in the shards differ by a few percent.
	sampledKeys = 4096
	maxSample   = 1 << 18
)

// WithShardBounds makes each shard of [WithShard] a range of keys. Each job then lists only its
// range of a bucket. Without WithShardBounds, the hash of a key decides its shard. Shard 0 has the
// keys up to the first bound. The last shard has the keys after the last bound. [ShardBounds]
// computes bounds. All jobs need the same bounds. With different bounds, a key may be in two
// shards, or in none.
//
// Like keys, bounds are relative to the source and the destination. A directory, an inventory, and
// a bucket that lists in no order are still read completely. The bounds must be in ascending order.
// The number of bounds must be the number of shards minus 1. Otherwise the job fails with
// InvalidArgument.
func WithShardBounds(bounds ...string) Option {
	bounds = slices.Clone(bounds)
	return checked(
		slices.IsSorted(bounds), "WithShardBounds", "must have keys in their order",
		func(s *settings) {
			s.bounds = bounds
			s.bounded = true
		},
	)
}

// ShardBounds returns the n-1 keys for [WithShardBounds] that make n shards with about equal
// numbers of keys. With up to 64 shards, the numbers differ by a few percent. src is
// a bucket or an [Inventory], and is read once. ShardBounds accepts [WithPrefix], [WithInclude],
// [WithExclude] and [WithKeys]. It keeps at most 524,288 keys in memory, with some hundred bytes
// for each. If n is below 1, or src is nil, it fails with InvalidArgument.
func ShardBounds(ctx context.Context, src storage.Lister, n int, opts ...Option) ([]string, error) {
	s := readOptions(opts)
	if n < 1 || src == nil {
		s.fail("ShardBounds", "must have a bucket or an inventory, and at least 1 shard")
	}
	if s.err != nil {
		return nil, named("ShardBounds", s.err)
	}
	list := src.List(ctx, storage.WithPrefix(s.prefix), storage.WithAnyOrder())
	if i, ok := src.(*Inventory); ok {
		list = i.objects(ctx, s.prefix) // the order of the keys does not matter
	}
	return s.shardBounds(list, n)
}

// shardBounds returns the keys that divide a listing into n equal ranges.
func (s *settings) shardBounds(list iter.Seq2[storage.ListEntry, error], n int) ([]string, error) {
	keys, err := s.sample(list, min(n*sampledKeys, maxSample))
	if err != nil {
		return nil, err
	}
	bounds := make([]string, n-1)
	for i := range bounds {
		if len(keys) > 0 { // without any key, the last shard has the whole range
			bounds[i] = keys[len(keys)*(i+1)/n]
		}
	}
	return bounds, nil
}

// sample returns up to 2n of the listed keys, in ascending order. It chooses the keys by their
// hashes, so that all shards choose the same keys.
func (s *settings) sample(list iter.Seq2[storage.ListEntry, error], n int) ([]string, error) {
	maximum := uint64(math.MaxUint64)
	var keys []string
	for e, err := range list {
		if err != nil {
			return nil, err
		}
		if keyHash(e.Key) > maximum || !s.selects(e.Key) {
			continue
		}
		for keys = append(keys, e.Key); len(keys) > 2*n; {
			maximum /= 2
			keys = slices.DeleteFunc(keys, func(key string) bool { return keyHash(key) > maximum })
		}
	}
	slices.Sort(keys)
	return keys, nil
}

// checkBounds makes the shard a range of keys, if WithShardBounds was given. It fails if the bounds
// are invalid.
func (s *settings) checkBounds() {
	switch {
	case !s.bounded:
	case uint64(len(s.bounds))+1 != s.shards:
		s.fail("WithShardBounds", "must have one key less than WithShard has shards")
	default:
		s.useBounds()
	}
}

// useBounds makes the shard of the job a range of keys. The range is from the bound before the
// shard to the bound after it.
func (s *settings) useBounds() {
	s.ranges = &keyRange{}
	if s.shard > 0 {
		s.ranges.after = s.bounds[s.shard-1]
	}
	if s.shard < s.shards-1 {
		s.ranges.last = &s.bounds[s.shard]
	}
}

// splitByInventory computes bounds from the inventory, and makes the shard of the job a range of
// keys.
func (s *settings) splitByInventory(ctx context.Context) (err error) {
	if s.inventory == nil || s.shards <= 1 || s.bounded {
		return nil
	}
	// everyKey has no filter. The ranges must divide all keys, because the journal relies on it.
	everyKey := &settings{}
	if s.bounds, err = everyKey.shardBounds(s.inventory.objects(ctx, s.prefix), int(s.shards)); err == nil {
		s.useBounds()
	}
	return err
}

// A keyRange is the range of keys that are greater than after, up to and including last.
type keyRange struct {
	after string
	last  *string // nil means that the range has no end
}

func (r *keyRange) contains(key string) bool {
	return r == nil || key > r.after && !r.endsBefore(key)
}

// endsBefore reports whether key and all later keys are after the range.
func (r *keyRange) endsBefore(key string) bool { return r != nil && r.last != nil && key > *r.last }

// list yields the entries of the range. It is for a bucket that lists in the order of keys.
func (r *keyRange) list(ctx context.Context, src storage.Lister, prefix string) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		for e, err := range src.List(ctx, storage.WithPrefix(prefix), storage.WithStartAfter(r.after)) {
			if r.endsBefore(e.Key) || !yield(e, err) {
				return
			}
		}
	}
}

// keyHash returns the hash of a key, which also decides the shard of a key in WithShard.
func keyHash(key string) uint64 {
	sum := sha256.Sum256([]byte(key))
	return binary.BigEndian.Uint64(sum[:8])
}
