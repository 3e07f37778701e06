package listing

import (
	"context"
	"iter"

	"github.com/omnibucket/storage"
)

// KeptVersions yields the versions of each key, the newest first. All versions of one key are in
// memory at the same time.
func KeptVersions(ctx context.Context, b storage.Bucket, prefix string) iter.Seq2[[]storage.VersionEntry, error] {
	return groupByKey(storage.Versions(ctx, b, storage.WithPrefix(prefix)))
}

// RemovedVersions yields, for each key, its versions, followed by the soft-deleted ones, which can be
// restored. In a bucket that keeps no versions, each object counts as its only version.
func RemovedVersions(ctx context.Context, b storage.Bucket, prefix string) iter.Seq2[[]storage.VersionEntry, error] {
	if !storage.Supports(b, storage.SoftDelete) {
		return KeptVersions(ctx, b, prefix)
	}
	versions := storage.Versions(ctx, b, storage.WithPrefix(prefix))
	if !storage.Supports(b, storage.Versioning) {
		versions = asVersions(InOrder(ctx, b, prefix))
	}
	softDeleted := storage.Versions(ctx, b, storage.WithPrefix(prefix), storage.WithSoftDeleted())
	return groupByKey(mergeListings(versions, softDeleted))
}

// asVersions yields each object of a listing as the current version of its key.
func asVersions(list iter.Seq2[storage.ListEntry, error]) iter.Seq2[storage.VersionEntry, error] {
	return func(yield func(storage.VersionEntry, error) bool) {
		for entry, err := range list {
			if !yield(storage.VersionEntry{ListEntry: entry, Current: true}, err) {
				return
			}
		}
	}
}

// groupByKey yields the entries of each key as one slice, which is valid until the next one is yielded.
func groupByKey(list iter.Seq2[storage.VersionEntry, error]) iter.Seq2[[]storage.VersionEntry, error] {
	return func(yield func([]storage.VersionEntry, error) bool) {
		var group []storage.VersionEntry
		for v, err := range list {
			if err != nil {
				yield(nil, err)
				return
			}
			if len(group) > 0 && group[0].Key != v.Key {
				if !yield(group, nil) {
					return
				}
				group = group[:0]
			}
			group = append(group, v)
		}
		if len(group) > 0 {
			yield(group, nil)
		}
	}
}

// mergeListings merges two listings in the order of keys. Entries of the first listing come before
// those of the second with the same key.
func mergeListings(first, second iter.Seq2[storage.VersionEntry, error]) iter.Seq2[storage.VersionEntry, error] {
	return func(yield func(storage.VersionEntry, error) bool) {
		next, stop := iter.Pull2(second)
		defer stop()

		// secondEntry is the first entry of the second listing that was not yielded yet.
		secondEntry, secondErr, hasSecond := next()
		for v, err := range first {
			if err != nil {
				yield(v, err)
				return
			}

			// Entries of the second listing with smaller keys come first.
			for hasSecond && secondErr == nil && secondEntry.Key < v.Key {
				if !yield(secondEntry, nil) {
					return
				}
				secondEntry, secondErr, hasSecond = next()
			}
			// An error of the second listing ends both.
			if secondErr != nil {
				yield(v, secondErr)
				return
			}
			if !yield(v, nil) {
				return
			}
		}

		// The rest of the second listing comes after all keys of the first.
		for hasSecond {
			if !yield(secondEntry, secondErr) {
				return
			}
			secondEntry, secondErr, hasSecond = next()
		}
	}
}
