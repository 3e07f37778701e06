package transfer

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/piecemeal"
	"github.com/omnibucket/storage/internal/revisions"
	"github.com/omnibucket/storage/internal/running"
)

// removeListed removes the objects of a group that an inventory lists, and keeps those that were
// replaced after it was taken.
func (e *expiry) removeListed(ctx context.Context, group []expiring) {
	errs := running.All(len(group), e.concurrency(), func(i int) error {
		listed := &storage.Attrs{
			Key:      group[i].Key,
			Size:     group[i].Size,
			Revision: group[i].Revision,
			Modified: group[i].Modified,
		}
		return revisions.RemoveUnchanged(ctx, e.bucket, group[i].Key, listed)
	})

	for i, err := range errs {
		switch {
		case storage.CodeOf(err) == storage.Changed:
			e.countChanged()
		case err != nil:
			e.reporter.countDestinationFailure(ctx, group[i].Key, err)
		default:
			e.reporter.countRemoved(group[i].Key, group[i].Size)
		}
	}
}

// countChanged counts an object that changed after the inventory was taken.
func (e *expiry) countChanged() {
	e.reporter.countPassed(func(r *Report) {
		r.Changed++
	})
}

// sameSecond reports whether two times are equal up to the second. Times in an inventory may have
// no fractions.
func sameSecond(a, b time.Time) bool { return a.Truncate(time.Second).Equal(b.Truncate(time.Second)) }

// concurrency returns the number of parallel requests.
func (e *expiry) concurrency() int {
	return cmp.Or(e.settings.concurrency, piecemeal.AtOnce)
}

// stillOld returns the versions of the group that are still old, according to a new listing of each
// key. Since the inventory was taken, a version may have become current, or another with the same id
// may have replaced it: an S3 bucket without versioning gives every object the id "null".
func (e *expiry) stillOld(ctx context.Context, group []expiring) []expiring {
	// One listing serves all versions of a key. errsByKey has an error for each of them, so the function
	// has no error of its own.
	keys := byKey(group)
	errsByKey := make([][]error, len(keys))
	_ = running.All(len(keys), e.concurrency(), func(i int) error {
		errsByKey[i] = e.checkVersions(ctx, keys[i])
		return nil
	})
	errs := slices.Concat(errsByKey...)

	old := group[:0]
	for i, version := range group {
		switch errs[i] {
		case nil:
			old = append(old, version)
		case storage.Changed:
			e.countChanged()
		default:
			e.reporter.countDestinationFailure(ctx, version.Key, errs[i])
		}
	}
	return old
}

// byKey returns the versions of each key of the group. The versions of a key are adjacent.
func byKey(group []expiring) [][]expiring {
	var keys [][]expiring
	start := 0 // index of the first version of the key
	for i := range group {
		isLast := i+1 == len(group)
		if isLast || group[i].Key != group[i+1].Key {
			keys = append(keys, group[start:i+1])
			start = i + 1
		}
	}
	return keys
}

// checkVersions lists the versions of one key again. It returns for each of the given versions why it
// must not be removed: the error of the listing, or Changed if the bucket no longer has it as an old
// version. Otherwise it returns nil for the version.
func (e *expiry) checkVersions(ctx context.Context, versions []expiring) []error {
	found, err := e.findOld(ctx, versions)
	if err != nil {
		return slices.Repeat([]error{err}, len(versions))
	}
	errs := make([]error, len(versions))
	for i := range versions {
		if !found[i] {
			errs[i] = storage.Changed
		}
	}
	return errs
}

// findOld lists the versions of the one key of the group again. It reports for each version of the group
// whether the bucket has it as a version that is old enough.
func (e *expiry) findOld(ctx context.Context, group []expiring) ([]bool, error) {
	found := make([]bool, len(group))
	for v, err := range oldVersions(e.versionsOf(ctx, group[0].Key)) {
		if err != nil {
			return nil, err
		}
		if !slices.Contains(found, false) {
			// The remaining versions of the key are not in the group.
			break
		}
		for i, row := range group {
			isSame := row.Version == v.Version && sameSecond(row.Modified, v.Modified)
			if isSame && e.isTooOld(v.since, row.age) {
				found[i] = true
			}
		}
	}
	return found, nil
}

// versionsOf yields the versions of one key. It stops where the listing of its prefix comes to longer
// keys.
func (e *expiry) versionsOf(ctx context.Context, key string) iter.Seq2[storage.VersionEntry, error] {
	return func(yield func(storage.VersionEntry, error) bool) {
		for v, err := range storage.Versions(ctx, e.bucket, storage.WithPrefix(key)) {
			if err == nil && v.Key != key {
				return
			}
			if !yield(v, err) {
				return
			}
		}
	}
}
