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

// List yields the entries of list, which is a listing of bucket with this prefix and start. In a
// local directory, a listing fails at a folder that the user may not read, such as lost+found. List
// then lists the rest folder by folder, and yields each unreadable folder as a common prefix
// together with its error. Any other error ends List.
func List(
	ctx context.Context, bucket storage.Lister, prefix, startAfter string, list iter.Seq2[storage.ListEntry, error],
) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		last := startAfter
		for entry, err := range list {
			if isUnreadableFolder(err) {
				// List the prefix again, folder by folder, from the last entry.
				listFolder(ctx, bucket, prefix, last, yield)
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
	storageErr, ok := errors.AsType[*storage.Error](err)
	return ok && storageErr.Provider == "local" && storageErr.Code == storage.PermissionDenied
}

// listFolder lists a folder and its subfolders, and yields the entries after startAfter in the
// order of keys. It returns false if the caller must yield nothing more, because the listing failed or
// yield returned false.
func listFolder(
	ctx context.Context, bucket storage.Lister, name, startAfter string, yield func(storage.ListEntry, error) bool,
) bool {
	opts := []storage.ListOption{storage.WithAnyOrder(), storage.WithPrefix(name), storage.WithDelimiter("/")}
	for entry, err := range bucket.List(ctx, opts...) {
		if storage.CodeOf(err) == storage.PermissionDenied {
			// The user may not read this folder, but the listing can continue after it.
			return yield(storage.ListEntry{Key: name, IsPrefix: true}, err)
		}
		if err != nil {
			yield(storage.ListEntry{}, err)
			return false
		}

		if !hasKeysAfter(entry, startAfter) {
			continue
		}
		if entry.IsPrefix {
			if !listFolder(ctx, bucket, entry.Key, startAfter, yield) {
				return false
			}
			continue
		}
		if !yield(entry, nil) {
			return false
		}
	}
	return true
}

// hasKeysAfter reports whether an entry is an object after startAfter, or a folder that may have one.
func hasKeysAfter(entry storage.ListEntry, startAfter string) bool {
	if entry.Key > startAfter {
		return true
	}
	// If startAfter lies in the folder, later keys may do so, too.
	return entry.IsPrefix && strings.HasPrefix(startAfter, entry.Key)
}
