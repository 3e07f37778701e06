// Package folderwalk continues a listing of a directory after folders that may not be read.
package folderwalk

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/omnibucket/storage"
)

// Continue yields list, which has the keys of bucket with a prefix, after a key. If the bucket is a directory, list
// ends at a folder that this user may not read, such as lost+found. Continue then lists folder by folder, and yields
// each such folder as a common prefix with its error. Any other error is the last.
func Continue(
	ctx context.Context, bucket storage.Lister, prefix, after string, list iter.Seq2[storage.ListEntry, error],
) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		last := after
		for entry, err := range list {
			if own, ok := errors.AsType[*storage.Error](err); ok && own.Provider == "local" &&
				own.Code == storage.PermissionDenied {
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

// folder yields the entries after a key, folder by folder. It returns false to end the walk.
func folder(
	ctx context.Context, bucket storage.Lister, name, after string, yield func(storage.ListEntry, error) bool,
) bool {
	for entry, err := range bucket.List(ctx, storage.WithAnyOrder(), storage.WithPrefix(name), storage.WithDelimiter("/")) {
		switch {
		case storage.CodeOf(err) == storage.PermissionDenied:
			return yield(storage.ListEntry{Key: name, IsPrefix: true}, err)
		case err != nil:
			yield(storage.ListEntry{}, err)
			return false
		case entry.IsPrefix:
			if (entry.Key > after || strings.HasPrefix(after, entry.Key)) &&
				!folder(ctx, bucket, entry.Key, after, yield) {
				return false
			}
		case entry.Key > after && !yield(entry, nil):
			return false
		}
	}
	return true
}
