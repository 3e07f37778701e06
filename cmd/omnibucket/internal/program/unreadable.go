package program

import (
	"context"
	"errors"
	"iter"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/piecemeal"
)

// maxUnreadable is the largest number of errors that ListBelow keeps.
const maxUnreadable = 1000

// Unreadable are the errors of folders that [ListBelow] left out.
type Unreadable []error

func (u Unreadable) Error() string { return errors.Join(u...).Error() }

// Unwrap returns the errors.
func (u Unreadable) Unwrap() []error { return u }

// ListBelow yields the objects below a folder. It skips folders that this user may not read, such as
// lost+found of a local directory, and yields an error of type [Unreadable] for them at the end.
func ListBelow(
	ctx context.Context, bucket storage.Lister, folder string, opts ...storage.ListOption,
) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		var unreadable Unreadable
		list := bucket.List(ctx, append(opts, storage.WithAnyOrder(), storage.WithPrefix(folder))...)
		for entry, err := range piecemeal.List(ctx, bucket, folder, "", list) {
			// An error together with a folder means that this folder could not be read. The listing continues
			// after it.
			isUnreadableFolder := err != nil && entry.IsPrefix
			if !isUnreadableFolder {
				if !yield(entry, err) {
					return
				}
				continue
			}
			if len(unreadable) < maxUnreadable {
				unreadable = append(unreadable, err)
			}
		}
		if len(unreadable) > 0 {
			yield(storage.ListEntry{}, unreadable)
		}
	}
}
