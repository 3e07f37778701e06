package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
)

const (
	// sampledKeys is how many keys of each shard are in the sample, so that shards differ by a few percent.
	sampledKeys = 4096
	maxSample   = 1 << 18
)

// splitByInventory makes the shard of the job a range of keys, of which both ends know where it begins.
func (s *settings) splitByInventory(ctx context.Context) error {
	if s.inventory == nil || s.shards <= 1 {
		return nil
	}
	sample, err := s.inventory.sample(ctx, s.prefix, int(min(s.shards*sampledKeys, maxSample)))
	if err != nil {
		return err
	}
	bound := func(shard uint64) string {
		if len(sample) == 0 {
			return "" // the last shard has all keys
		}
		return sample[uint64(len(sample))*shard/s.shards]
	}
	s.ranges = &keyRange{}
	if s.shard > 0 {
		s.ranges.after = bound(s.shard)
	}
	if s.shard < s.shards-1 {
		last := bound(s.shard + 1)
		s.ranges.last = &last
	}
	return nil
}

// A keyRange has the keys that follow after, up to last.
type keyRange struct {
	after string
	last  *string // nil: all
}

func (r *keyRange) contains(key string) bool {
	return r == nil || key > r.after && !r.endsBefore(key)
}

// endsBefore reports whether neither key nor any later one is in the range.
func (r *keyRange) endsBefore(key string) bool { return r != nil && r.last != nil && key > *r.last }

// sample returns up to 2n keys in their order. The hashes of keys decide which, so that all shards get the same.
func (i *Inventory) sample(ctx context.Context, prefix string, n int) ([]string, error) {
	most := uint64(math.MaxUint64)
	var keys []string
	for e, err := range i.objects(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		if keyHash(e.Key) > most {
			continue
		}
		for keys = append(keys, e.Key); len(keys) > 2*n; {
			most /= 2
			keys = slices.DeleteFunc(keys, func(key string) bool { return keyHash(key) > most })
		}
	}
	slices.Sort(keys)
	return keys, nil
}

// keyHash returns the number that also decides the shard of a key.
func keyHash(key string) uint64 {
	sum := sha256.Sum256([]byte(key))
	return binary.BigEndian.Uint64(sum[:8])
}
