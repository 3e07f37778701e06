package storage

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/parallel"
	"github.com/omnibucket/storage/internal/removal"
	"github.com/omnibucket/storage/internal/serving"
)

// A BatchRemover is a bucket that removes several objects at once.
type BatchRemover interface {
	RemoveAll(ctx context.Context, keys iter.Seq[string]) (removed int, err error)
	RemoveVersions(ctx context.Context, versions iter.Seq[VersionEntry]) (removed int, err error)
}

// RemoveAll removes every key, in the provider's batches, and continues after failures: err
// joins one *Error for each key that it tried and that may still be there. It stops after
// the batch with the 1,000th failure: give it at most 1,000 keys for an error for each. If
// ctx ends, err joins an *Error without a key. removed counts keys that are gone, also if
// they did not exist.
func RemoveAll(ctx context.Context, b Remover, keys iter.Seq[string]) (removed int, err error) {
	if r, ok := find[BatchRemover](b); ok {
		return r.RemoveAll(ctx, keys)
	}
	return removeSingly(ctx, b, "RemoveAll", removal.Map(keys, entryOf))
}

func entryOf(key string) VersionEntry { return VersionEntry{ListEntry: ListEntry{Key: key}} }

// RemoveVersions removes versions permanently, by Key and Version of entries, as
// [RemoveAll] removes objects. The *Error of a version has both.
func RemoveVersions(ctx context.Context, b Remover, versions iter.Seq[VersionEntry]) (removed int, err error) {
	if r, ok := find[BatchRemover](b); ok {
		return r.RemoveVersions(ctx, versions)
	}
	return removeSingly(ctx, b, "RemoveVersions", versions)
}

// RemoveMatching removes, as [RemoveAll] does, the objects of a listing that match accepts
// (nil: all); err joins an error of the listing too. It skips prefixes, and the lease of a
// job of package transfer that runs with ctx.
func RemoveMatching(ctx context.Context, b interface {
	Lister
	Remover
}, match func(ListEntry) bool, opts ...ListOption) (removed int, err error) {
	var listed error
	ctx = evidence.WithoutFailover(ctx)
	held := serving.HeldIn(ctx, b)
	removed, err = RemoveAll(ctx, b, func(yield func(string) bool) {
		for entry, failed := range b.List(ctx, append(slices.Clip(opts), WithAnyOrder())...) {
			if failed != nil {
				listed = failed
				return
			}
			if entry.IsPrefix || slices.Contains(held, entry.Key) || match != nil && !match(entry) {
				continue
			}
			if !yield(entry.Key) {
				return
			}
		}
	})
	return removed, errors.Join(listed, err)
}

// removeSingly removes by a Remover that has no batches.
func removeSingly(ctx context.Context, b Remover, name string, all iter.Seq[VersionEntry]) (removed int, err error) {
	removed, failures := parallel.Groups(all, removal.Together, removal.MaxFailures, func(group []VersionEntry) (errs []error, more bool) {
		if ctx.Err() != nil {
			return []error{located(b, name, "", asError(ctx, ctx.Err()))}, false
		}
		return parallel.All(len(group), removal.AtOnce, func(i int) error { return removeForeign(ctx, b, name, group[i]) }), true
	})
	return removed, errors.Join(failures...)
}

// removeForeign removes by a foreign Remover. Its error names the key and the version: a caller
// that searches for them would take them for removed.
func removeForeign(ctx context.Context, b Remover, name string, one VersionEntry) error {
	var opts []RemoveOption
	if name == "RemoveVersions" {
		if one.Version == "" {
			return located(b, name, one.Key, invalid("version", "must not be empty")) // it would be the object
		}
		opts = append(opts, WithVersion(one.Version))
	}
	err := b.Remove(ctx, one.Key, opts...)
	if own := (*Error)(nil); err == nil || errors.As(err, &own) && own.Key == one.Key && own.Version == one.Version {
		return err
	}
	e := located(b, name, one.Key, &Error{Code: asError(ctx, err).Code, Err: err})
	e.Version = one.Version
	return e
}
