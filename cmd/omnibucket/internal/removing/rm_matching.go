package removing

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/transfer"
)

// rmMatching removes the objects that match wildcards. With -r, it also removes the folders that match.
func rmMatching(
	ctx context.Context, p *program.Program, f *rmFlags, filter *transfer.Filter, bucket storage.Bucket,
	l location.Location,
) error {
	if len(f.options) > 0 {
		return argument.Invalid("--version and --if-revision must not be used with wildcards",
			"use --literal to take wildcards literally")
	}
	removesAll := location.MatchesAll(l.Glob()) && l.Prefix == ""
	if removesAll && !f.all {
		return argument.Invalid("removing everything in a bucket needs --all", "to remove all objects that match, add --all")
	}

	// The patterns of the filter are relative to the folder top, as in the command cp.
	top, _ := location.SplitPattern(l.Glob())

	// Count the matches, whether the filter selects them or not. It is an error if nothing matches, but not if the filter
	// selects nothing.
	objects := 0
	folders := 0
	selected := func(yield func(storage.ListEntry, error) bool) {
		for entry, err := range location.Expand(ctx, bucket, l) {
			if err != nil {
				yield(entry, err)
				return
			}
			if entry.IsPrefix {
				folders++
				continue
			}
			objects++
			if !program.SelectsBelow(filter, top, entry) {
				continue
			}
			if !yield(entry, nil) {
				return
			}
		}
	}
	if err := removeOrShow(ctx, p, bucket, selected); err != nil {
		return err
	}

	if f.recursive && folders > 0 {
		return rmFolders(ctx, p, f, filter, bucket, l, top)
	}
	if objects > 0 {
		return nil
	}

	// No object matches.
	if folders > 0 {
		return location.OnlyFolders(l, "to remove everything in them, use -r")
	}
	if f.force {
		return nil
	}
	return location.NoMatch(l, "object")
}

// rmFolders removes everything in the folders that match the wildcards of l and that filter selects.
// The patterns of the filter are relative to the folder top.
func rmFolders(
	ctx context.Context, p *program.Program, f *rmFlags, filter *transfer.Filter, bucket storage.Bucket,
	l location.Location, top string,
) error {
	for match, err := range location.Expand(ctx, bucket, l) {
		if err != nil {
			return err
		}
		if !match.IsPrefix || !program.SelectsBelow(filter, top, match) {
			continue
		}
		if err := rmFolder(ctx, p, f, filter, bucket, match.Key, top); err != nil {
			return err
		}
	}
	return nil
}
