package transfer

import (
	"context"
	"iter"

	"github.com/omnibucket/storage"
)

// sorted yields the current objects of a range in the order of keys, each once.
func (i *Inventory) sorted(ctx context.Context, prefix string, in *keyRange) iter.Seq2[storage.ListEntry, error] {
	return sorted(ctx, func(yield func(storage.ListEntry, error) bool) {
		for e, err := range i.objects(ctx, prefix) {
			if (err != nil || in.contains(e.Key)) && !yield(e, err) {
				return
			}
		}
	}, sortMemory)
}

// versions yields all versions in the order of keys, each once, with the time since which it is not
// current: that of the next version.
func (i *Inventory) versions(ctx context.Context, prefix string) iter.Seq2[storage.VersionEntry, error] {
	return func(yield func(storage.VersionEntry, error) bool) {
		var newer storage.VersionEntry
		for v, err := range inKeyOrder(ctx, i.rows(ctx, prefix), sortMemory) {
			if err == nil && v.Key == newer.Key {
				if v.Version == newer.Version {
					continue
				}
				if v.NoncurrentSince.IsZero() {
					v.NoncurrentSince = newer.Modified
				}
			}
			newer = v
			if !yield(v, err) {
				return
			}
		}
	}
}
