// Package folderwalk lists directories past the folders that may not be read.
package folderwalk

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/omnibucket/storage"
)

// Continue yields list, which has the keys of bucket with a prefix, after a key. If the bucket is a directory, list ends
// at a folder that this user may not read, such as lost+found. Continue then lists folder by folder, and yields
// each such folder as a common prefix with its error. Any other error is the last.
func Continue(ctx context.Context, bucket storage.Lister, prefix, after string, list iter.Seq2[storage.ListEntry, error]) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		w := walk{ctx: ctx, bucket: bucket, after: after, yield: yield}
		for entry, err := range list {
			if own, ok := errors.AsType[*storage.Error](err); ok && own.Provider == "local" && own.Code == storage.PermissionDenied {
				w.folder(prefix)
				return
			}
			if !yield(entry, err) {
				return
			}
			w.after = entry.Key
		}
	}
}

// A walk lists the folders of a directory one by one.
type walk struct {
	ctx    context.Context
	bucket storage.Lister
	after  string // what comes up to this key was yielded
	yield  func(storage.ListEntry, error) bool
}

// folder returns false to end the walk.
func (w *walk) folder(name string) bool {
	for entry, err := range w.bucket.List(w.ctx, storage.WithAnyOrder(), storage.WithPrefix(name), storage.WithDelimiter("/")) {
		switch {
		case storage.CodeOf(err) == storage.PermissionDenied:
			return w.yield(storage.ListEntry{Key: name, IsPrefix: true}, err)
		case err != nil:
			w.yield(storage.ListEntry{}, err)
			return false
		case entry.IsPrefix:
			if (entry.Key > w.after || strings.HasPrefix(w.after, entry.Key)) && !w.folder(entry.Key) {
				return false
			}
		case entry.Key > w.after && !w.yield(entry, nil):
			return false
		}
	}
	return true
}
