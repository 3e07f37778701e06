package storage

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/parallel"
	"github.com/omnibucket/storage/internal/removal"
	"github.com/omnibucket/storage/internal/scope"
	"github.com/omnibucket/storage/internal/serving"
)

// RemoveAll removes every key, in the provider's batches, and continues after failures: err
// joins one *Error for each key that it tried and that may still be there. It stops after
// the batch with the 1,000th failure: give it at most 1,000 keys for an error for each. If
// ctx ends, err joins an *Error without a key. removed counts keys that are gone, also if
// they did not exist.
func RemoveAll(ctx context.Context, b Remover, keys iter.Seq[string]) (removed int, err error) {
	f, e := need(b, "RemoveAll", "")
	switch {
	case e != nil:
		return 0, e
	case f.refused(scope.Remove, nil) != nil:
		return f.refuseEach(ctx, "RemoveAll", removal.Map(keys, func(key string) VersionEntry {
			return VersionEntry{ListEntry: ListEntry{Key: key}}
		}))
	case f.scope.Prefix == "":
		return f.core.RemoveAll(ctx, keys)
	}
	removed, err = f.core.RemoveAll(ctx, removal.Map(keys, f.scope.Key))
	return removed, f.outward(err)
}

// RemoveVersions removes versions permanently, by Key and Version of entries, as
// [RemoveAll] removes objects. The *Error of a version has both.
func RemoveVersions(ctx context.Context, b Remover, versions iter.Seq[VersionEntry]) (removed int, err error) {
	f, e := need(b, "RemoveVersions", "")
	switch {
	case e != nil:
		return 0, e
	case f.refused(scope.Remove, nil) != nil:
		return f.refuseEach(ctx, "RemoveVersions", versions)
	case f.scope.Prefix == "":
		return f.core.RemoveVersions(ctx, versions)
	}
	removed, err = f.core.RemoveVersions(ctx, removal.Map(versions, func(entry VersionEntry) VersionEntry {
		entry.Key = f.scope.Key(entry.Key)
		return entry
	}))
	return removed, f.outward(err)
}

// RemoveMatching removes, as [RemoveAll] does, the objects of a listing that match accepts (nil
// accepts all); err joins an error of the listing too. It skips prefixes, and the lease of a
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

// refuseEach returns an error for each key of a removal that the front does not permit.
func (f *front) refuseEach(ctx context.Context, op string, all iter.Seq[VersionEntry]) (removed int, err error) {
	refuse := func(group []VersionEntry) (errs []error, more bool) {
		if ctx.Err() != nil {
			return []error{located(f, op, "", AsError(ctx, ctx.Err()))}, false
		}
		for _, one := range group {
			e := located(f, op, one.Key, f.refused(scope.Remove, nil))
			e.Version = one.Version
			errs = append(errs, e)
		}
		return errs, true
	}
	_, failures := parallel.Groups(all, removal.Together, removal.MaxFailures, refuse)
	return 0, errors.Join(failures...)
}
