package transfer

import (
	"context"
	"iter"

	"github.com/omnibucket/storage"
)

// inOrder yields the rows with a prefix in the order of keys: of one key the current one, then the newest
// first. If current is set, it yields only that.
func (i *Inventory) inOrder(ctx context.Context, prefix string, in *keyRange, current bool) iter.Seq2[storage.VersionEntry, error] {
	return inKeyOrder(ctx, func(yield func(storage.VersionEntry, error) bool) {
		for v, err := range i.rows(ctx, prefix) {
			if err == nil && (current && !v.Current || !in.contains(v.Key)) {
				continue
			}
			if !yield(v, err) {
				return
			}
		}
	}, sortMemory)
}

// sorted yields the current objects in the order of keys, each once.
func (i *Inventory) sorted(ctx context.Context, prefix string, in *keyRange) iter.Seq2[storage.ListEntry, error] {
	return eachKeyOnce(i.inOrder(ctx, prefix, in, true))
}

// versions yields all versions in the order of keys, each once, with the time since which it is not
// current: that of the next version.
func (i *Inventory) versions(ctx context.Context, prefix string) iter.Seq2[storage.VersionEntry, error] {
	return func(yield func(storage.VersionEntry, error) bool) {
		var newer storage.VersionEntry
		for v, err := range i.inOrder(ctx, prefix, nil, false) {
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
