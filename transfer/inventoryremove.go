package transfer

import (
	"cmp"
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/piecemeal"
	"github.com/omnibucket/storage/internal/revisions"
	"github.com/omnibucket/storage/internal/running"
)

// removeListed removes objects that an inventory lists. It keeps objects that were replaced after
// the inventory was taken.
func (e *expiry) removeListed(ctx context.Context, group []expiring) {
	failures := running.All(len(group), e.atOnce(), func(i int) error {
		listed := &storage.Attrs{
			Key:      group[i].Key,
			Size:     group[i].Size,
			Revision: group[i].Revision,
			Modified: group[i].Modified,
		}
		return revisions.RemoveUnchanged(ctx, e.bucket, group[i].Key, listed)
	})
	for i, err := range failures {
		switch {
		case storage.CodeOf(err) == storage.Changed:
			e.reporter.countPassed(func(r *Report) {
				r.Changed++
			})
		case err != nil:
			e.reporter.countDestinationFailure(ctx, group[i].Key, err)
		default:
			e.reporter.countRemoved(group[i].Key, group[i].Size)
		}
	}
}

// sameSecond reports whether two times are equal up to the second. Times in an inventory may have
// no fractions.
func sameSecond(a, b time.Time) bool { return a.Truncate(time.Second).Equal(b.Truncate(time.Second)) }

func (e *expiry) atOnce() int { return cmp.Or(e.settings.concurrency, piecemeal.AtOnce) }

// stillOld returns the versions of the group that are still old. It lists the versions of each key
// again, because the bucket may have changed since the inventory was taken. A version may have
// become current. A newer version may also have replaced it and have the same id. For example, an
// S3 bucket without versioning gives every object the id "null".
func (e *expiry) stillOld(ctx context.Context, group []expiring) []expiring {
	var ends []int // for each key, the index after its last version; the versions of a key are adjacent
	for i := range group {
		if i+1 == len(group) || group[i].Key != group[i+1].Key {
			ends = append(ends, i+1)
		}
	}
	failures := make([]error, len(group))
	running.All(len(ends), e.atOnce(), func(i int) error {
		start := 0
		if i > 0 {
			start = ends[i-1]
		}
		e.compareListed(ctx, group[start:ends[i]], failures[start:ends[i]])
		return nil
	})

	rest := group[:0]
	for i, v := range group {
		switch failures[i] {
		case nil:
			rest = append(rest, v)
		case storage.Changed:
			e.reporter.countPassed(func(r *Report) {
				r.Changed++
			})
		default:
			e.reporter.countDestinationFailure(ctx, v.Key, failures[i])
		}
	}
	return rest
}

// compareListed lists the versions of one key. For each version that must not be removed, it stores
// the reason in failures.
func (e *expiry) compareListed(ctx context.Context, group []expiring, failures []error) {
	key := group[0].Key
	n := 0
	listed := func(yield func(storage.VersionEntry, error) bool) {
		for v, err := range storage.Versions(ctx, e.bucket, storage.WithPrefix(key)) {
			if err == nil && (v.Key != key || n == len(group)) || !yield(v, err) {
				return
			}
		}
	}
	old := make([]bool, len(group))
	err := eachOld(listed, func(v storage.VersionEntry, start time.Time) error {
		for i, row := range group {
			if row.Version == v.Version && sameSecond(row.Modified, v.Modified) && e.tooOld(start, row.age) {
				old[i] = true
				n++
			}
		}
		return nil
	})

	for i := range group {
		if err != nil || !old[i] {
			failures[i] = cmp.Or(err, error(storage.Changed))
		}
	}
}
