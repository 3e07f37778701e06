package copying

import (
	"context"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/transfer"
)

// cpMatching copies what matches the wildcards of src: objects, and with -r also folders. The names at the destination
// are relative to the last folder without a wildcard.
func cpMatching(ctx context.Context, p *program.Program, f *cpFlags, src, dst location.Location) error {
	if dst.Kind == location.InBucket && dst.HasWildcard {
		return argument.Invalid("destination must not have wildcards if a source has",
			"use --literal to take wildcards literally")
	}
	if !location.IsFolderTarget(dst) {
		return argument.Invalid("destination of wildcards must be a folder", `end the destination in "/"`)
	}

	// Copy the folder before the wildcards, but only the keys that match the pattern. All of them begin with start.
	folder, pattern := location.WildFolder(src)
	matches, err := location.Matcher(pattern, f.recursive)
	if err != nil {
		return err
	}
	start, _ := location.LiteralStart(pattern)

	opts, err := f.treeOptions()
	if err != nil {
		return err
	}
	if err := checkAttributes(ctx, p, f, dst); err != nil {
		return err
	}

	// The destination may lie in the source.
	overlapOpts, err := excludeOverlap(ctx, p, dst, folder, start, matches)
	if err != nil {
		return err
	}

	if dst.Kind == location.LocalPath && !location.IsDirectory(dst.Path) {
		// The job would create the directory even without a match.
		if err := requireMatch(ctx, p, src, f.recursive); err != nil {
			return err
		}
	}

	opts = append(opts, overlapOpts...)
	opts = append(opts, transfer.WithPrefix(start), transfer.WithKeys(matches))
	report, err := syncTrees(ctx, p, dst, folder, opts)
	summarizeCopy(p, folder, report, err)
	if err != nil {
		return err
	}
	if program.IsEmpty(report) {
		// Either nothing matches, which is an error, or the filter has skipped all that matches.
		return requireMatch(ctx, p, src, f.recursive)
	}
	return nil
}

// requireMatch returns an ObjectNotFound error if no object matches the wildcards. If recursive is true, a folder that
// matches is enough.
func requireMatch(ctx context.Context, p *program.Program, l location.Location, recursive bool) error {
	if l.Kind == location.LocalPath {
		directory, err := l.AsBucket()
		if err != nil {
			return err
		}
		l = directory
	}
	bucket, err := p.Stores.Open(ctx, l)
	if err != nil {
		return err
	}

	hasFolder := false
	for entry, err := range location.Expand(ctx, bucket, l) {
		if err != nil {
			return err
		}
		// One match is enough.
		isMatch := !entry.IsPrefix || recursive
		if isMatch {
			return nil
		}
		hasFolder = true
	}

	if hasFolder {
		return location.OnlyFolders(l, "to copy everything in them, use -r")
	}
	return location.NoMatch(l, "object")
}

// excludeOverlap returns options with which a job with wildcards does not read what it has written itself. They exclude
// the folder of the source to which the job writes. There are none if it writes to no such folder. If a key in
// the folder matches, there are none either, because the job then refuses the overlap.
func excludeOverlap(
	ctx context.Context, p *program.Program, dst, src location.Location, start string, matches func(key string) bool,
) ([]transfer.Option, error) {
	dstPlace, err := openPlace(ctx, p, dst)
	if err != nil {
		return nil, err
	}
	srcPlace, err := openPlace(ctx, p, src)
	if err != nil {
		return nil, err
	}

	// The source contains the destination, as in "mv '*.jpg' old/".
	if folder, ok := serving.Below(dstPlace, srcPlace); ok {
		return excludeFolder(folder), nil
	}

	// The destination contains the source as a folder, as in "mv -r 'new/*' .". The job then writes to the source what
	// it reads from a folder of the same name in the source.
	folder, ok := serving.Below(srcPlace, dstPlace)
	if !ok || folder == "" {
		return nil, nil
	}
	hasMatch, err := hasMatchBelow(ctx, p, src, folder, start, matches)
	if err != nil || hasMatch {
		return nil, err
	}
	return excludeFolder(folder), nil
}

// excludeFolder returns an option that excludes a folder of the source, or none for "", which is the source itself.
func excludeFolder(folder string) []transfer.Option {
	if folder == "" {
		return nil
	}
	return []transfer.Option{transfer.WithExclude("/" + location.LiteralPattern(folder))}
}

// hasMatchBelow reports whether a folder of src has a key that matches. All keys that match begin with start.
func hasMatchBelow(
	ctx context.Context, p *program.Program, src location.Location, folder, start string,
	matches func(key string) bool,
) (bool, error) {
	// If neither begins with the other, no key of the folder can begin with start.
	mayMatch := strings.HasPrefix(folder, start) || strings.HasPrefix(start, folder)
	if !mayMatch {
		return false, nil
	}
	if src.Kind == location.LocalPath {
		var err error
		if src, err = src.AsBucket(); err != nil {
			return false, err
		}
	}

	bucket, err := p.Stores.OpenFolder(ctx, src)
	if err != nil {
		return false, err
	}
	for entry, err := range bucket.List(ctx, storage.WithAnyOrder(), storage.WithPrefix(folder)) {
		if err != nil {
			return false, err
		}
		if matches(entry.Key) {
			return true, nil
		}
	}
	return false, nil
}
