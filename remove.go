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
	f, err := frontOf(b, "RemoveAll", "")
	if err != nil {
		return 0, err
	}
	mayRemove := f.checkAllowed(scope.Remove, nil) == nil
	if !mayRemove {
		entries := removal.Map(keys, func(key string) VersionEntry {
			return VersionEntry{ListEntry: ListEntry{Key: key}}
		})
		return f.refuseEach(ctx, "RemoveAll", entries)
	}
	if f.scope.Prefix == "" {
		return f.core.RemoveAll(ctx, keys)
	}
	// The Core gets whole keys, which have the prefix of b.
	removed, err = f.core.RemoveAll(ctx, removal.Map(keys, f.scope.Key))
	return removed, f.errorInView(err)
}

// RemoveVersions permanently removes the versions that the Key and Version of each entry name. Like
// [RemoveAll], it continues after failures and joins their errors, each with its Key and Version.
func RemoveVersions(ctx context.Context, b Remover, versions iter.Seq[VersionEntry]) (removed int, err error) {
	f, err := frontOf(b, "RemoveVersions", "")
	if err != nil {
		return 0, err
	}
	if f.checkAllowed(scope.Remove, nil) != nil {
		return f.refuseEach(ctx, "RemoveVersions", versions)
	}
	if f.scope.Prefix == "" {
		return f.core.RemoveVersions(ctx, versions)
	}

	// The Core needs the whole keys.
	withPrefix := removal.Map(versions, func(entry VersionEntry) VersionEntry {
		entry.Key = f.scope.Key(entry.Key)
		return entry
	})
	removed, err = f.core.RemoveVersions(ctx, withPrefix)
	return removed, f.errorInView(err)
}

// RemoveMatching lists b with opts, and removes the objects for which match returns true, as
// [RemoveAll] does. A nil match selects all. Common prefixes stay. If a job of package transfer
// passes its ctx, the object with the lease of that job stays, too. If the listing fails, err
// contains its error, too.
//
// An object may be replaced after it was listed. If match is not nil and b has [ConditionalRemove],
// the new object stays, because match has not seen it, and RemoveMatching makes one request for
// each object. Otherwise the new object is removed.
func RemoveMatching(ctx context.Context, b interface {
	Lister
	Remover
}, match func(ListEntry) bool, opts ...ListOption) (removed int, err error) {
	f, err := frontOf(b, "RemoveMatching", "")
	if err != nil {
		return 0, err
	}
	ctx = evidence.WithoutFailover(ctx)
	listing := &matchListing{
		ctx:      ctx,
		bucket:   b,
		match:    match,
		heldKeys: serving.HeldIn(ctx, b), // such as the key of the lease of a job
		opts:     append(slices.Clip(opts), WithAnyOrder()),
	}

	// Remove each object only in the revision that match has seen, if the store can do that. RemoveAll
	// reports if b may not remove objects.
	mayRemove := f.checkAllowed(scope.Remove, nil) == nil
	if match != nil && mayRemove && f.core.Supports(ConditionalRemove) {
		removed, err = removeListed(ctx, f, listing.entries)
	} else {
		keys := removal.Map(listing.entries, func(entry ListEntry) string { return entry.Key })
		removed, err = RemoveAll(ctx, b, keys)
	}

	// The listing, which both functions have read, may have failed.
	return removed, errors.Join(listing.err, err)
}

// A matchListing lists the objects that RemoveMatching removes.
type matchListing struct {
	ctx      context.Context // of the call of RemoveMatching
	bucket   Lister
	match    func(ListEntry) bool // nil selects all
	heldKeys []string             // keys of objects that stay
	opts     []ListOption
	err      error // error of the listing
}

// entries yields the objects to remove: those that l.match selects, except those in l.heldKeys. It
// sets l.err if the listing fails.
func (l *matchListing) entries(yield func(ListEntry) bool) {
	for entry, err := range l.bucket.List(l.ctx, l.opts...) {
		if err != nil {
			l.err = err
			return
		}
		if entry.IsPrefix || slices.Contains(l.heldKeys, entry.Key) {
			continue
		}
		if l.match != nil && !l.match(entry) {
			continue
		}
		if !yield(entry) {
			return
		}
	}
}

// removeListed removes the listed objects, except those that were replaced since. Its results are
// like those of [RemoveAll].
func removeListed(ctx context.Context, f *front, entries iter.Seq[ListEntry]) (removed int, err error) {
	var count atomic.Int64 // of the objects that were removed
	removeGroup := func(group []ListEntry) (errs []error, mayContinue bool) {
		errs = running.All(len(group), removal.AtOnce, func(i int) error {
			isRemoved, err := f.removeUnchanged(ctx, group[i])
			if isRemoved {
				count.Add(1)
			}
			return err
		})
		return errs, ctx.Err() == nil
	}

	_, failures := running.EachGroup(entries, removal.Together, removal.MaxFailures, removeGroup)
	if ctx.Err() != nil {
		failures = append(failures, locateError(f, "RemoveMatching", "", AsError(ctx, ctx.Err())))
	}
	return int(count.Load()), errors.Join(failures...)
}

// removeUnchanged removes a listed object, unless it was replaced since the listing, or ctx has
// ended. In these two cases, it does nothing, and returns false without an error.
func (f *front) removeUnchanged(ctx context.Context, entry ListEntry) (removed bool, err error) {
	if ctx.Err() != nil {
		return false, nil
	}

	var opts []RemoveOption
	if entry.Revision != "" {
		opts = append(opts, IfRevision(entry.Revision))
	}
	err = f.Remove(ctx, entry.Key, opts...)
	if CodeOf(err) == PreconditionFailed {
		return false, nil
	}
	return err == nil, err
}

// refuseEach refuses to remove the entries, which the scope of f does not permit. Like a removal,
// it joins one *Error for each key, and calls the hooks for each group of keys.
func (f *front) refuseEach(ctx context.Context, op string, all iter.Seq[VersionEntry]) (removed int, err error) {
	refuse := func(group []VersionEntry) (errs []error, mayContinue bool) {
		if ctx.Err() != nil {
			return []error{locateError(f, op, "", AsError(ctx, ctx.Err()))}, false
		}

		// Make one error for each entry.
		var keys []string
		for _, entry := range group {
			err := locateError(f, op, entry.Key, f.checkAllowed(scope.Remove, nil))
			err.Version = entry.Version
			keys = append(keys, f.scope.Key(entry.Key))
			errs = append(errs, err)
		}
		f.callHooks(ctx, Operation{Name: op, Keys: keys}, errs[0])
		return errs, true
	}

	// No entry is removed, so only the failures count.
	_, failures := running.EachGroup(all, removal.Together, removal.MaxFailures, refuse)
	return 0, errors.Join(failures...)
}
