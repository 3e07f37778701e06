package main

import (
	"cmp"
	"context"
	"strings"

	"github.com/omnibucket/storage/internal/serving"
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
	inner, err := p.destinationBelow(ctx, dst, from)
	if err != nil {
		return err
	}
	report, err := p.transfer(ctx, dst, from, append(append(opts, inner...), transfer.WithKeys(matches)))
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

// destinationBelow returns an option that leaves out a destination in a folder of the source, as
// in "mv '*.jpg' old/".
func (p *program) destinationBelow(ctx context.Context, dst, from location) ([]transfer.Option, error) {
	if dst.kind != inBucket {
		return nil, nil
	}
	inner, err := p.place(ctx, dst)
	if err != nil {
		return nil, err
	}
	outer, err := p.place(ctx, from)
	if err != nil {
		return nil, err
	}
	folder, ok := serving.Below(inner, outer)
	if !ok || folder == "" {
		return nil, nil
	}
	return []transfer.Option{transfer.WithExclude("/" + literalPattern(folder))}, nil
}

// literalPattern returns a pattern that matches only this text.
func literalPattern(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if strings.IndexByte(`*?[]{}\!^-`, c) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
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
