package transfer

import (
	"cmp"
	"context"
	"iter"
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
	errs := make([]error, len(group)) // for each version, the reason why it must stay, or nil

	// The versions of one key are compared together.
	groupEnds := keyEnds(group)
	running.All(len(groupEnds), e.concurrency(), func(i int) error {
		start := 0
		if i > 0 {
			start = groupEnds[i-1]
		}
		end := groupEnds[i]
		e.compareListed(ctx, group[start:end], errs[start:end])
		return nil
	})

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

// keyEnds returns, for each key of the group, the index after its last version. The versions of a key
// are adjacent.
func keyEnds(group []expiring) []int {
	var ends []int
	for i := range group {
		isLast := i+1 == len(group)
		if isLast || group[i].Key != group[i+1].Key {
			ends = append(ends, i+1)
		}
	}
	return ends
}

// compareListed lists the versions of the one key of the group again. For a version that must not be
// removed, it stores the reason in errs: the error of the listing, or Changed if the bucket no longer
// has it as an old version.
func (e *expiry) compareListed(ctx context.Context, group []expiring, errs []error) {
	found, err := e.findOld(ctx, group)
	for i := range group {
		if err != nil {
			errs[i] = err
		} else if !found[i] {
			errs[i] = storage.Changed
		}
	}
}

// findOld lists the versions of the one key of the group again. It reports for each version of the group
// whether the bucket has it as a version that is old enough.
func (e *expiry) findOld(ctx context.Context, group []expiring) ([]bool, error) {
	found := make([]bool, len(group))
	foundCount := 0
	for v, err := range oldVersions(e.versionsOf(ctx, group[0].Key)) {
		if err != nil {
			return nil, err
		}
		if foundCount == len(group) {
			break
		}
		for i, row := range group {
			isSame := row.Version == v.Version && sameSecond(row.Modified, v.Modified)
			if isSame && e.tooOld(v.since, row.age) {
				found[i] = true
				foundCount++
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
