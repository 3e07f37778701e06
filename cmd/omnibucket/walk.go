package main

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
)

// A walk is what a command that walks does with each argument.
type walk struct {
	filter  *transfer.Filter
	literal bool
}

// newWalk returns the walk of the flags.
func newWalk(f *filterFlags, literal bool) (*walk, error) {
	filter, err := f.filter()
	return &walk{filter: filter, literal: literal}, err
}

// A root is an object or a folder at which a walk begins.
type root struct {
	bucket storage.Bucket
	entry  storage.ListEntry // IsPrefix for a folder
	top    string            // the folder to which the patterns of the filter are relative
}

// name returns the key, or "" for a whole bucket.
func (r root) name() string { return r.entry.Key }

// eachRoot calls do with what an argument names: the object of its key, otherwise the folder,
// or each match of its wildcards. A missing folder is ObjectNotFound.
func (p *program) eachRoot(ctx context.Context, text string, w *walk, do func(root) error) error {
	bucket, l, err := p.openObject(ctx, text)
	if err != nil {
		return err
	}
	if !l.hasWildcard || w.literal {
		entry, err := entryOf(ctx, bucket, l)
		if err != nil {
			return err
		}
		return do(root{bucket, entry, topOf(entry)})
	}
	top, _ := splitPattern(l.glob())
	found := false
	for entry, err := range expand(ctx, bucket, l) {
		if err == nil {
			found = true
			err = do(root{bucket, entry, top})
		}
		if err != nil {
			return err
		}
	}
	if !found {
		return errNoMatch(l, "object or folder")
	}
	return nil
}

// entryOf returns the object with a key or, if there is none, the folder of this name.
func entryOf(ctx context.Context, bucket storage.Lister, l location) (storage.ListEntry, error) {
	folder := storage.ListEntry{Key: asFolder(l.key), IsPrefix: true}
	if l.key == "" {
		return folder, nil
	}
	found := false
	for entry, err := range bucket.List(ctx, storage.WithPrefix(l.key), storage.WithDelimiter("/")) {
		switch {
		case err != nil:
			return entry, err
		case entry.Key == l.key && !entry.IsPrefix && !l.isFolder():
			return entry, nil
		case strings.HasPrefix(entry.Key, folder.Key):
			found = true
		}
		if found || entry.Key > folder.Key {
			break
		}
	}
	if !found {
		return folder, errNothingUnder(l.key)
	}
	return folder, nil
}

// topOf returns the folder to which patterns are relative for an argument without wildcards: the
// folder, or that of the object.
func topOf(e storage.ListEntry) string {
	if e.IsPrefix {
		return e.Key
	}
	folder, _ := parentOf(e.Key)
	return folder
}

// files yields the objects of a root that the filter selects.
func (w *walk) files(ctx context.Context, r root) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		if !r.entry.IsPrefix {
			if selectsBelow(w.filter, r.top, r.entry) {
				yield(r.entry, nil)
			}
			return
		}
		for entry, err := range r.bucket.List(ctx, storage.WithPrefix(r.name())) {
			if err != nil {
				yield(entry, err)
				return
			}
			if isMarker(entry) || !selectsBelow(w.filter, r.top, entry) {
				continue
			}
			if !yield(entry, nil) {
				return
			}
		}
	}
}

// isMarker reports whether an object is a folder, as the consoles of some stores create them.
func isMarker(e storage.ListEntry) bool {
	return !e.IsPrefix && e.Size == 0 && strings.HasSuffix(e.Key, "/")
}

// eachFile calls do with each object that the arguments name and the filter selects.
func (p *program) eachFile(ctx context.Context, args []string, w *walk, do func(r root, e storage.ListEntry) error) error {
	enough := false
	return each(ctx, p, args, func(text string) error {
		if enough {
			return nil
		}
		err := p.eachRoot(ctx, text, w, func(r root) error {
			for entry, err := range w.files(ctx, r) {
				if err == nil {
					err = do(r, entry)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if errors.Is(err, errEnough) {
			enough = true
			return nil
		}
		return err
	})
}

// errEnough ends eachFile without a failure.
var errEnough = errors.New("enough")
