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

// RemoveAll removes every key, in the provider's batches, and continues after failures. err joins
// one *Error for each key that RemoveAll failed to remove. RemoveAll stops after the batch with the
// 1,000th failure, and does not try the remaining keys. If you pass at most 1,000 keys, RemoveAll
// tries each key. If ctx ends, err also joins an *Error without a key. removed counts the keys that
// no longer exist, including those that did not exist before.
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

// RemoveVersions permanently removes the versions that are named by the Key and Version of each
// entry. Like [RemoveAll], it continues after failures and joins their errors. The *Error of a
// version has both its Key and its Version.
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

// RemoveMatching lists b with opts. It removes the objects for which match returns true, as
// [RemoveAll] does. If match is nil, it removes all listed objects. If the listing fails, err
// contains the error of the listing, too. RemoveMatching skips common prefixes. Within a job of
// package transfer, it also skips the object with the lease of that job.
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

// refuseEach returns a joined error with one *Error for each key, for a removal that the front does
// not permit.
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
