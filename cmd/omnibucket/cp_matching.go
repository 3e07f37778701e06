package main

import (
	"cmp"
	"context"

	"github.com/omnibucket/storage/transfer"
)

// cpMatching copies the objects that match wildcards, and with -r the folders. Their names at
// the destination are their keys after the folder in which the wildcards begin.
func (p *program) cpMatching(ctx context.Context, f *cpFlags, src, dst location) error {
	switch {
	case dst.kind == inBucket && dst.hasWildcard:
		return invalid("destination must not have wildcards if a source has", "use --literal to take wildcards literally")
	case !isFolderTarget(dst):
		return invalid("destination of wildcards must be a folder", `end the destination in "/"`)
	}
	from, rest := wildFolder(src)
	matches, err := matcher(rest, f.recursive)
	if err != nil {
		return err
	}
	opts, err := f.treeOptions()
	if err != nil {
		return err
	}
	report, err := p.transfer(ctx, dst, from, append(opts, transfer.WithKeys(matches)))
	if report != nil && report.Transferred+report.Skipped+report.Ignored+report.Failed == 0 && err == nil {
		if src.kind == localPath {
			if src, err = src.asBucket(); err != nil {
				return err
			}
		}
		matched, err := p.hasMatch(ctx, src) // the filter may have skipped all
		if err == nil && !matched {
			err = errNoMatch(src, "object")
		}
		return err
	}
	return err
}

// isWild reports whether the key of a location, or a path of no file, has wildcards.
func (l location) isWild() bool {
	if l.kind == localPath {
		_, rest := splitWildcards(l.path)
		return rest != ""
	}
	return l.hasWildcard
}

// wildFolder returns the folder in which the wildcards of a location begin, and the pattern
// below it.
func wildFolder(l location) (folder location, pattern string) {
	folder = l
	folder.hasWildcard, folder.pattern = false, ""
	if l.kind == localPath {
		dir, rest := splitWildcards(l.path)
		folder.path = cmp.Or(dir, ".")
		return folder, patternOf(rest, false)
	}
	folder.key, pattern = splitPattern(l.glob())
	return folder, pattern
}
