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
}

// name returns the key, or "" for a whole bucket.
func (r root) name() string { return r.entry.Key }

// roots returns what an argument names: the object of its key, otherwise the folder, or all
// matches of its wildcards. A missing folder is ObjectNotFound.
func (p *program) roots(ctx context.Context, text string, w *walk) ([]root, error) {
	bucket, l, err := p.openObject(ctx, text)
	if err != nil {
		return nil, err
	}
	if l.hasWildcard && !w.literal {
		matches, err := matchesOf(ctx, bucket, l)
		if err != nil {
			return nil, err
		}
		all := make([]root, len(matches))
		for i, entry := range matches {
			all[i] = root{bucket, entry}
		}
		return all, nil
	}
	entry, err := entryOf(ctx, bucket, l)
	if err != nil {
		return nil, err
	}
	return []root{{bucket, entry}}, nil
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

// files yields the objects of a root that the filter selects. Its patterns are relative to the
// folder, or to the folder of the object.
func (w *walk) files(ctx context.Context, r root) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		if !r.entry.IsPrefix {
			if selectsBelow(w.filter, r.name()[:strings.LastIndexByte(r.name(), '/')+1], r.entry) {
				yield(r.entry, nil)
			}
			return
		}
		for entry, err := range r.bucket.List(ctx, storage.WithPrefix(r.name())) {
			if err != nil {
				yield(entry, err)
				return
			}
			if isMarker(entry) || !selectsBelow(w.filter, r.name(), entry) {
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
	return p.each(ctx, args, func(text string) error {
		if enough {
			return nil
		}
		roots, err := p.roots(ctx, text, w)
		if err != nil {
			return err
		}
		for _, r := range roots {
			for entry, err := range w.files(ctx, r) {
				if err == nil {
					err = do(r, entry)
				}
				if errors.Is(err, errEnough) {
					enough = true
					return nil
				}
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// errEnough ends eachFile without a failure.
var errEnough = errors.New("enough")
