package storage

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/omnibucket/storage/internal/core/removal"
	"github.com/omnibucket/storage/internal/core/scope"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/internal/serving"
)

// RemoveAll removes every key, in the provider's batches, and continues after failures. err joins
// one *[Error] for each key that failed, and one without a key if ctx ends. After the batch with
// the 1,000th failure, RemoveAll does not try the remaining keys. removed counts the keys that no
// longer exist, including those that did not exist before.
func RemoveAll(ctx context.Context, b Remover, keys iter.Seq[string]) (removed int, err error) {
	f, e := frontOf(b, "RemoveAll", "")
	if e != nil {
		return 0, e
	}
	if f.checkAllowed(scope.Remove, nil) != nil {
		return f.refuseEach(ctx, "RemoveAll", removal.Map(keys, func(key string) VersionEntry {
			return VersionEntry{ListEntry: ListEntry{Key: key}}
		}))
	}
	if f.scope.Prefix == "" {
		return f.core.RemoveAll(ctx, keys)
	}
	removed, err = f.core.RemoveAll(ctx, removal.Map(keys, f.scope.Key))
	return removed, f.errorInView(err)
}

// RemoveVersions permanently removes the versions that the Key and Version of each entry name. Like
// [RemoveAll], it continues after failures and joins their errors, each with its Key and Version.
func RemoveVersions(ctx context.Context, b Remover, versions iter.Seq[VersionEntry]) (removed int, err error) {
	f, e := frontOf(b, "RemoveVersions", "")
	if e != nil {
		return 0, e
	}
	if f.checkAllowed(scope.Remove, nil) != nil {
		return f.refuseEach(ctx, "RemoveVersions", versions)
	}
	if f.scope.Prefix == "" {
		return f.core.RemoveVersions(ctx, versions)
	}
	removed, err = f.core.RemoveVersions(ctx, removal.Map(versions, func(entry VersionEntry) VersionEntry {
		entry.Key = f.scope.Key(entry.Key)
		return entry
	}))
	return removed, f.errorInView(err)
}

// RemoveMatching lists b with opts, and removes the objects for which match returns true, as
// [RemoveAll] does. A nil match selects all. If the listing fails, err contains the error of the
// listing, too. Common prefixes stay. Within a job of package transfer, so does the object with the
// lease of that job.
//
// An object may be replaced after it was listed. If match is not nil and b has [ConditionalRemove],
// the new object stays, because match has not seen it. RemoveMatching then makes one request for
// each object. In any other case, it removes the new object.
func RemoveMatching(ctx context.Context, b interface {
	Lister
	Remover
}, match func(ListEntry) bool, opts ...ListOption) (removed int, err error) {
	if _, e := frontOf(b, "RemoveMatching", ""); e != nil {
		return 0, e
	}
	var listed error
	ctx = evidence.WithoutFailover(ctx)
	keys := serving.HeldIn(ctx, b)
	matching := func(yield func(ListEntry) bool) {
		for entry, failure := range b.List(ctx, append(slices.Clip(opts), WithAnyOrder())...) {
			if failure != nil {
				listed = failure
				return
			}
			if entry.IsPrefix || slices.Contains(keys, entry.Key) || match != nil && !match(entry) {
				continue
			}
			if !yield(entry) {
				return
			}
		}
	}

	f, ok := any(b).(*front)
	if ok && match != nil && f.checkAllowed(scope.Remove, nil) == nil && f.core.Supports(ConditionalRemove) {
		removed, err = removeListed(ctx, f, matching)
	} else {
		removed, err = RemoveAll(ctx, b, removal.Map(matching, func(entry ListEntry) string { return entry.Key }))
	}
	return removed, errors.Join(listed, err)
}

// removeListed removes the listed objects, except those that were replaced after they were listed.
// It returns the results of [RemoveAll].
func removeListed(ctx context.Context, f *front, entries iter.Seq[ListEntry]) (removed int, err error) {
	var skipped atomic.Int64 // objects that were not removed, and did not fail
	removeOne := func(entry ListEntry) error {
		if ctx.Err() != nil {
			skipped.Add(1)
			return nil
		}
		var opts []RemoveOption
		if entry.Revision != "" {
			opts = append(opts, IfRevision(entry.Revision))
		}
		err := f.Remove(ctx, entry.Key, opts...)
		if CodeOf(err) == PreconditionFailed {
			// The object was replaced after it was listed.
			skipped.Add(1)
			return nil
		}
		return err
	}
	removeGroup := func(group []ListEntry) (errs []error, hasMore bool) {
		errs = running.All(len(group), removal.AtOnce, func(i int) error { return removeOne(group[i]) })
		return errs, ctx.Err() == nil
	}

	done, failures := running.EachGroup(entries, removal.Together, removal.MaxFailures, removeGroup)
	if ctx.Err() != nil {
		failures = append(failures, locateError(f, "RemoveMatching", "", AsError(ctx, ctx.Err())))
	}
	return done - int(skipped.Load()), errors.Join(failures...)
}

// refuseEach returns a joined error with one *Error for each key, for a removal that the front does
// not permit.
func (f *front) refuseEach(ctx context.Context, op string, all iter.Seq[VersionEntry]) (removed int, err error) {
	refuse := func(group []VersionEntry) (errs []error, more bool) {
		if ctx.Err() != nil {
			return []error{locateError(f, op, "", AsError(ctx, ctx.Err()))}, false
		}
		var keys []string
		for _, one := range group {
			e := locateError(f, op, one.Key, f.checkAllowed(scope.Remove, nil))
			e.Version = one.Version
			keys = append(keys, f.scope.Key(one.Key))
			errs = append(errs, e)
		}
		f.callHooks(ctx, Operation{Name: op, Keys: keys}, errs[0])
		return errs, true
	}
	_, failures := running.EachGroup(all, removal.Together, removal.MaxFailures, refuse)
	return 0, errors.Join(failures...)
}
