package main

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
)

// rmMatching removes the objects that match wildcards and, with -r, the folders.
func (p *program) rmMatching(ctx context.Context, f *rmFlags, filter *transfer.Filter, bucket storage.Bucket, l location) error {
	switch {
	case len(f.options) > 0:
		return invalid("--version and --if-revision must not be used with wildcards", "use --literal to take wildcards literally")
	case matchesAll(l.glob()) && l.prefix == "" && !f.all:
		return invalid("removing everything in a bucket needs --all", "to remove all objects that match, add --all")
	}
	top, _ := splitPattern(l.glob()) // patterns of the filter are relative to it, as for cp
	objects, folders := 0, 0
	err := p.removeOrShow(ctx, bucket, func(yield func(storage.ListEntry, error) bool) {
		for entry, err := range expand(ctx, bucket, l) {
			switch {
			case err == nil && entry.IsPrefix:
				folders++
				continue
			case err == nil:
				objects++
				if !selectsBelow(filter, top, entry) {
					continue
				}
			}
			if !yield(entry, err) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	switch {
	case f.recursive && folders > 0:
		return p.rmFolders(ctx, filter, bucket, l, top)
	case objects == 0 && folders > 0:
		return errOnlyFolders(l, "to remove everything in them, use -r")
	case objects == 0:
		return errNoMatch(l, "object")
	}
	return nil
}

// rmFolders removes everything in the folders that match.
func (p *program) rmFolders(ctx context.Context, filter *transfer.Filter, bucket storage.Bucket, l location, top string) error {
	for match, err := range expand(ctx, bucket, l) {
		if err == nil && match.IsPrefix && selectsBelow(filter, top, match) {
			err = p.rmFolder(ctx, filter, bucket, match.Key, top)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
