package main

import (
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
	folder, rest := splitPattern(src.glob())
	matches, err := matcher(rest, f.recursive)
	if err != nil {
		return err
	}
	from := src
	from.key, from.hasWildcard, from.pattern = folder, false, ""
	opts, err := f.treeOptions()
	if err != nil {
		return err
	}
	report, err := p.transfer(ctx, dst, from, append(opts, transfer.WithKeys(matches)))
	if report != nil && report.Transferred+report.Skipped+report.Ignored+report.Failed == 0 && err == nil {
		matched, err := p.hasMatch(ctx, src) // the filter may have skipped all
		if err == nil && !matched {
			err = errNoMatch(src, "object")
		}
		return err
	}
	return err
}
