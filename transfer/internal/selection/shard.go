package selection

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

// DivideKeys returns the n-1 bounds that divide the keys of a listing into n ranges of about equal
// size.
func (s *Selection) DivideKeys(list iter.Seq2[storage.ListEntry, error], n int) ([]string, error) {
	// A sorted sample of the keys suffices, and fits into memory.
	keys, err := s.sample(list, min(n*sampledKeys, maxSample))
	if err != nil {
		return nil, err
	}

	bounds := make([]string, n-1)
	if len(keys) == 0 {
		// All bounds are "", so that the last range has all keys.
		return bounds, nil
	}

	for i := range bounds {
		bounds[i] = keys[len(keys)*(i+1)/n]
	}
	return bounds, nil
}

// sample returns a random sample of the listed keys, in ascending order. The sample has about n keys, at
// most 2n, or all keys if there are fewer. It has the keys with the smallest hashes, so that all shards
// choose the same keys.
func (s *Selection) sample(list iter.Seq2[storage.ListEntry, error], n int) ([]string, error) {
	maxHash := uint64(math.MaxUint64)
	var keys []string
	for entry, err := range list {
		if err != nil {
			return nil, err
		}
		if keyHash(entry.Key) > maxHash || !s.Selects(entry.Key) {
			continue
		}
		keys = append(keys, entry.Key)
		// The sample is too large. The hashes are random, so half of maxHash leaves about half of the keys.
		for len(keys) > 2*n {
			maxHash /= 2
			keys = slices.DeleteFunc(keys, func(key string) bool { return keyHash(key) > maxHash })
		}
	}
	slices.Sort(keys)
	return keys, nil
}

// UseBounds sets Ranges to the keys of the shard: those after the bound before it, up to and including its
// own bound. The first shard has no bound before it, and the last one has none of its own.
func (s *Selection) UseBounds() {
	s.Ranges = &KeyRange{}
	if s.Shard > 0 {
		s.Ranges.After = s.Bounds[s.Shard-1]
	}

	hasNext := s.Shard < s.Shards-1
	if hasNext {
		s.Ranges.Last = &s.Bounds[s.Shard]
	}
}

// A KeyRange is the range of keys that are greater than After, up to and including Last.
type KeyRange struct {
	After string
	Last  *string // nil means that the range has no end
}

// Contains reports whether a key is in the range. A nil range has every key.
func (r *KeyRange) Contains(key string) bool {
	if r == nil {
		return true
	}
	return key > r.After && !r.EndsBefore(key)
}

// EndsBefore reports whether key and all later keys are after the range.
func (r *KeyRange) EndsBefore(key string) bool { return r != nil && r.Last != nil && key > *r.Last }

// List yields the entries of the range from a bucket that lists in the order of keys.
func (r *KeyRange) List(ctx context.Context, src storage.Lister, prefix string) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		for entry, err := range src.List(ctx, storage.WithPrefix(prefix), storage.WithStartAfter(r.After)) {
			if r.EndsBefore(entry.Key) || !yield(entry, err) {
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
