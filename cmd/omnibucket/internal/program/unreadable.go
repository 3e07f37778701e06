package program

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/omnibucket/storage"
)

// maxUnreadable bounds the errors that ListBelow joins.
const maxUnreadable = 1000

// Unreadable are the errors of folders that [ListBelow] left out.
type Unreadable []error

func (u Unreadable) Error() string { return errors.Join(u...).Error() }

// Unwrap returns the errors.
func (u Unreadable) Unwrap() []error { return u }

// ListBelow yields the objects below a folder. If a directory has folders that this user may not read, such as
// lost+found, it continues folder by folder, and ends with [Unreadable].
func ListBelow(ctx context.Context, bucket storage.Lister, folder string) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		w := folderWalk{ctx: ctx, bucket: bucket, yield: yield}
		unreadable := false
		for entry, err := range bucket.List(ctx, storage.WithAnyOrder(), storage.WithPrefix(folder)) {
			if own, ok := errors.AsType[*storage.Error](err); ok && own.Provider == "local" && own.Code == storage.PermissionDenied {
				unreadable = true // and the listing has ended
				break
			}
			if !yield(entry, err) {
				return
			}
			w.after = entry.Key
		}
		if unreadable && w.folder(folder) && len(w.unreadable) > 0 {
			yield(storage.ListEntry{}, w.unreadable)
		}
	}
}

// A folderWalk lists the folders of a directory one by one.
type folderWalk struct {
	ctx        context.Context
	bucket     storage.Lister
	after      string // what comes up to this key was yielded
	yield      func(storage.ListEntry, error) bool
	unreadable Unreadable
}

// folder returns false to end the walk.
func (w *folderWalk) folder(name string) bool {
	for entry, err := range w.bucket.List(w.ctx, storage.WithAnyOrder(), storage.WithPrefix(name), storage.WithDelimiter("/")) {
		switch {
		case storage.CodeOf(err) == storage.PermissionDenied:
			if len(w.unreadable) < maxUnreadable {
				w.unreadable = append(w.unreadable, err)
			}
			return true
		case err != nil:
			w.yield(entry, err)
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
