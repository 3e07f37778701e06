package program

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/transfer"
)

// A Walk selects the objects that a command visits, from its flags.
type Walk struct {
	Filter  *transfer.Filter
	literal bool
}

// NewWalk returns a Walk with the filter of the flags.
func NewWalk(f *FilterFlags, literal bool) (*Walk, error) {
	filter, err := f.Filter()
	return &Walk{Filter: filter, literal: literal}, err
}

// A Root is an object or folder where a walk begins.
type Root struct {
	Bucket storage.Bucket
	Entry  storage.ListEntry // IsPrefix is set for a folder
	Top    string            // folder to which the patterns of the filter are relative
}

// Name returns the key of the root. For a whole bucket it returns "".
func (r Root) Name() string { return r.Entry.Key }

// EachRoot calls visit for the object that text names or, if there is none, for the folder of that
// name. If text has wildcards, it calls visit for each match. It fails with ObjectNotFound if there
// is nothing.
func (p *Program) EachRoot(ctx context.Context, text string, w *Walk, visit func(Root) error) error {
	bucket, l, err := p.Stores.openObject(ctx, text)
	if err != nil {
		return err
	}

	if !l.HasWildcard || w.literal {
		entry, err := entryOf(ctx, bucket, l)
		if err != nil {
			return err
		}
		return visit(Root{Bucket: bucket, Entry: entry, Top: topOf(entry)})
	}

	top, _ := location.SplitPattern(l.Glob())
	hasMatch := false
	for entry, err := range location.Expand(ctx, bucket, l) {
		if err != nil {
			return err
		}
		hasMatch = true
		if err := visit(Root{Bucket: bucket, Entry: entry, Top: top}); err != nil {
			return err
		}
	}

	if !hasMatch {
		return location.NoMatch(l, "object or folder")
	}
	return nil
}

// entryOf returns the object with a key or, if there is none, the folder of this name. One listing, of the keys that
// begin with the key, finds both.
func entryOf(ctx context.Context, bucket storage.Lister, l location.Location) (storage.ListEntry, error) {
	folder := storage.ListEntry{Key: location.AsFolder(l.Key), IsPrefix: true}
	if l.Key == "" {
		return folder, nil
	}

	isOrdered := storage.Supports(bucket, storage.OrderedListing)
	folderExists := false
	for entry, err := range bucket.List(ctx, storage.WithAnyOrder(), storage.WithPrefix(l.Key), storage.WithDelimiter("/")) {
		if err != nil {
			return entry, err
		}
		isObject := entry.Key == l.Key && !entry.IsPrefix
		if isObject && !l.IsFolder() {
			return entry, nil
		}
		if strings.HasPrefix(entry.Key, folder.Key) {
			folderExists = true
		}

		// Key order has the object before the folder, so nothing of interest follows the folder or its place.
		if isOrdered && entry.Key >= folder.Key {
			break
		}
	}
	if !folderExists {
		return folder, location.NothingUnder(l.Key)
	}
	return folder, nil
}

// topOf returns the folder to which the patterns of a filter are relative: the entry itself if it is a
// folder, or else the folder that contains the object.
func topOf(e storage.ListEntry) string {
	if e.IsPrefix {
		return e.Key
	}
	folder, _ := location.ParentOf(e.Key)
	return folder
}

// Files yields the objects of a root that the filter selects.
func (w *Walk) Files(ctx context.Context, r Root) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		if !r.Entry.IsPrefix {
			if SelectsBelow(w.Filter, r.Top, r.Entry) {
				yield(r.Entry, nil)
			}
			return
		}
		for entry, err := range ListBelow(ctx, r.Bucket, r.Name()) {
			if err != nil {
				yield(entry, err)
				return
			}
			if IsMarker(entry) || !SelectsBelow(w.Filter, r.Top, entry) {
				continue
			}
			if !yield(entry, nil) {
				return
			}
		}
	}
}

// IsMarker reports whether an object only marks a folder: it is empty, and its key ends in a slash.
// Some consoles create such objects.
func IsMarker(e storage.ListEntry) bool {
	return !e.IsPrefix && e.Size == 0 && strings.HasSuffix(e.Key, "/")
}

// EachFile calls do for each object that the arguments name and the filter of w selects. If do returns
// ErrEnough, EachFile ends without an error.
func (p *Program) EachFile(
	ctx context.Context, args []string, w *Walk, do func(r Root, e storage.ListEntry) error,
) error {
	visit := func(r Root) error {
		return w.eachFile(ctx, r, do)
	}
	isDone := false
	return Each(ctx, p, args, func(text string) error {
		// The arguments after ErrEnough are skipped.
		if isDone {
			return nil
		}
		err := p.EachRoot(ctx, text, w, visit)
		if errors.Is(err, ErrEnough) {
			isDone = true
			return nil
		}
		return err
	})
}

// eachFile calls do for each object of a root that the filter of w selects.
func (w *Walk) eachFile(ctx context.Context, r Root, do func(r Root, e storage.ListEntry) error) error {
	for entry, err := range w.Files(ctx, r) {
		if err != nil {
			return err
		}
		if err := do(r, entry); err != nil {
			return err
		}
	}
	return nil
}

// ErrEnough is the error that a callback of EachFile returns to stop early without a failure.
var ErrEnough = errors.New("enough")

// HasAny reports whether a listing finds a key with a prefix. If listing fails, it reports false.
func HasAny(ctx context.Context, bucket storage.Lister, prefix string) bool {
	for _, err := range bucket.List(ctx, storage.WithAnyOrder(), storage.WithPrefix(prefix), storage.WithLimit(1)) {
		return err == nil
	}
	return false
}

// EntryOf converts attributes to an entry of a listing.
func EntryOf(a *storage.Attrs) storage.ListEntry {
	return storage.ListEntry{
		Key:          a.Key,
		Size:         a.Size,
		ETag:         a.ETag,
		Revision:     a.Revision,
		Modified:     a.Modified,
		StorageClass: a.StorageClass,
	}
}
