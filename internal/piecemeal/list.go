// Package piecemeal does a job for each object for which it can be done. A listing continues after folders that the user
// may not read. A removal returns a result for each object or version.
package piecemeal

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/omnibucket/storage"
)

// List yields the entries of a listing of bucket. The caller passes the prefix of the listing,
// the key after which the listing begins, and the listing itself. In a local directory, a listing
// fails at a folder that the user may not read, such as lost+found. After this failure, List
// lists the rest folder by folder. It yields each unreadable folder as a common prefix together
// with its error. Any other error ends List.
func List(
	ctx context.Context, bucket storage.Lister, prefix, startAfter string, list iter.Seq2[storage.ListEntry, error],
) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		last := startAfter
		for entry, err := range list {
			if e, ok := errors.AsType[*storage.Error](err); ok && e.Provider == "local" &&
				e.Code == storage.PermissionDenied {
				folder(ctx, bucket, prefix, last, yield)
				return
			}
			if !yield(entry, err) {
				return
			}
			last = entry.Key
		}
	}
}

// folder lists one folder, and calls itself for each subfolder. It yields only the entries that
// follow the given key in the order of keys. It returns false if the whole walk must end.
func folder(
	ctx context.Context, bucket storage.Lister, name, startAfter string, yield func(storage.ListEntry, error) bool,
) bool {
	for entry, err := range bucket.List(ctx, storage.WithAnyOrder(), storage.WithPrefix(name), storage.WithDelimiter("/")) {
		if storage.CodeOf(err) == storage.PermissionDenied {
			return yield(storage.ListEntry{Key: name, IsPrefix: true}, err)
		}
		if err != nil {
			yield(storage.ListEntry{}, err)
			return false
		}
		if entry.IsPrefix {
			if (entry.Key > startAfter || strings.HasPrefix(startAfter, entry.Key)) &&
				!folder(ctx, bucket, entry.Key, startAfter, yield) {
				return false
			}
		} else if entry.Key > startAfter && !yield(entry, nil) {
			return false
		}
	}
	return true
}
