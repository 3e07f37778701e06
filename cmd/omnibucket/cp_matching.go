package main

import (
	"cmp"
	"context"
	"strings"

	"github.com/omnibucket/storage"
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
	if err == nil {
		err = p.checkAttributes(ctx, f, dst)
	}
	if err != nil {
		return err
	}
	start, _ := literalStart(rest)
	apart, err := p.keepApart(ctx, dst, from, start, matches)
	if err != nil {
		return err
	}
	if dst.kind == localPath && !isDirectory(dst.path) { // the job would create it, also for nothing
		if err := p.mustMatch(ctx, src, f.recursive); err != nil {
			return err
		}
	}
	report, err := p.transfer(ctx, dst, from, append(append(opts, apart...), transfer.WithPrefix(start), transfer.WithKeys(matches)))
	p.summarizeCopy(from, report, err)
	if report != nil && isEmpty(report) && err == nil {
		return p.mustMatch(ctx, src, f.recursive) // the filter may have skipped all
	}
	return err
}

// mustMatch fails if wildcards match no object or, with recursive, no folder either.
func (p *program) mustMatch(ctx context.Context, l location, recursive bool) error {
	if l.kind == localPath {
		var err error
		if l, err = l.asBucket(); err != nil {
			return err
		}
	}
	bucket, err := p.open(ctx, l)
	if err != nil {
		return err
	}
	folders := false
	for entry, err := range expand(ctx, bucket, l) {
		if err != nil || !entry.IsPrefix || recursive {
			return err
		}
		folders = true
	}
	if folders {
		return errOnlyFolders(l, "to copy everything in them, use -r")
	}
	return errNoMatch(l, "object")
}

// keepApart returns an option that keeps a job from reading what it writes, if one end contains
// the other. A destination in the source is left out: "mv '*.jpg' old/". If the source lies in
// the destination, as in "mv 'new/*' .", nothing must match that would be written to the source.
func (p *program) keepApart(ctx context.Context, dst, from location, start string, matches func(key string) bool) ([]transfer.Option, error) {
	to, err := p.place(ctx, dst)
	if err != nil {
		return nil, err
	}
	source, err := p.place(ctx, from)
	if err != nil {
		return nil, err
	}
	folder, ok := serving.Below(to, source)
	if !ok {
		if folder, ok = serving.Below(source, to); ok && folder != "" {
			found, err := p.anyBelow(ctx, from, folder, start, matches)
			if found || err != nil {
				return nil, err // the job refuses the ends
			}
		}
	}
	if !ok || folder == "" {
		return nil, nil
	}
	return []transfer.Option{transfer.WithExclude("/" + literalPattern(folder))}, nil
}

// anyBelow reports whether a key in a folder of a location matches.
func (p *program) anyBelow(ctx context.Context, from location, folder, start string, matches func(key string) bool) (bool, error) {
	if !strings.HasPrefix(folder, start) && !strings.HasPrefix(start, folder) {
		return false, nil
	}
	if from.kind == localPath {
		var err error
		if from, err = from.asBucket(); err != nil {
			return false, err
		}
	}
	bucket, err := p.openFolder(ctx, from)
	if err != nil {
		return false, err
	}
	for entry, err := range bucket.List(ctx, storage.WithPrefix(folder)) {
		if err != nil || matches(entry.Key) {
			return err == nil, err
		}
	}
	return false, nil
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
