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
			if isUnreadableFolder(err) {
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

// isUnreadableFolder reports whether err says that the user may not read a folder of a local
// directory.
func isUnreadableFolder(err error) bool {
	e, ok := errors.AsType[*storage.Error](err)
	return ok && e.Provider == "local" && e.Code == storage.PermissionDenied
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
		// A folder may have later keys even if its own name comes before startAfter.
		isWanted := entry.Key > startAfter || entry.IsPrefix && strings.HasPrefix(startAfter, entry.Key)
		if !isWanted {
			continue
		}
		hasMore := false
		if entry.IsPrefix {
			hasMore = folder(ctx, bucket, entry.Key, startAfter, yield)
		} else {
			hasMore = yield(entry, nil)
		}
		if !hasMore {
			return false
		}
	}
	return true
}
