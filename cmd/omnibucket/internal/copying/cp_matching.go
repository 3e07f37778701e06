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

// cpMatching copies the objects that match wildcards, and with -r the folders. Their names at
// the destination are their keys after the folder in which the wildcards begin.
func cpMatching(ctx context.Context, p *program.Program, f *cpFlags, src, dst location.Location) error {
	switch {
	case dst.Kind == location.InBucket && dst.HasWildcard:
		return argument.Invalid(
			"destination must not have wildcards if a source has", "use --literal to take wildcards literally",
		)
	case !location.IsFolderTarget(dst):
		return argument.Invalid("destination of wildcards must be a folder", `end the destination in "/"`)
	}
	from, rest := location.WildFolder(src)
	matches, err := location.Matcher(rest, f.recursive)
	if err != nil {
		return err
	}
	opts, err := f.treeOptions()
	if err == nil {
		err = checkAttributes(ctx, p, f, dst)
	}
	if err != nil {
		return err
	}
	start, _ := location.LiteralStart(rest)
	apart, err := keepApart(ctx, p, dst, from, start, matches)
	if err != nil {
		return err
	}
	if dst.Kind == location.LocalPath && !location.IsDirectory(dst.Path) { // the job would create it, also for nothing
		if err := mustMatch(ctx, p, src, f.recursive); err != nil {
			return err
		}
	}
	report, err := syncTrees(
		ctx, p, dst, from, append(append(opts, apart...), transfer.WithPrefix(start), transfer.WithKeys(matches)),
	)
	summarizeCopy(p, from, report, err)
	if report != nil && program.IsEmpty(report) && err == nil {
		return mustMatch(ctx, p, src, f.recursive) // the filter may have skipped all
	}
	return err
}

// mustMatch fails if wildcards match no object or, with recursive, no folder either.
func mustMatch(ctx context.Context, p *program.Program, l location.Location, recursive bool) error {
	if l.Kind == location.LocalPath {
		var err error
		if l, err = l.AsBucket(); err != nil {
			return err
		}
	}
	bucket, err := p.Stores.Open(ctx, l)
	if err != nil {
		return err
	}
	folders := false
	for entry, err := range location.Expand(ctx, bucket, l) {
		if err != nil || !entry.IsPrefix || recursive {
			return err
		}
		folders = true
	}
	if folders {
		return location.OnlyFolders(l, "to copy everything in them, use -r")
	}
	return location.NoMatch(l, "object")
}

// keepApart returns an option that keeps a job from reading what it writes, if one end contains
// the other. A destination in the source is left out: "mv '*.jpg' old/". If the source lies in
// the destination, as in "mv 'new/*' .", nothing must match that would be written to the source.
func keepApart(
	ctx context.Context, p *program.Program, dst, from location.Location, start string, matches func(key string) bool,
) ([]transfer.Option, error) {
	to, err := place(ctx, p, dst)
	if err != nil {
		return nil, err
	}
	source, err := place(ctx, p, from)
	if err != nil {
		return nil, err
	}
	folder, ok := serving.Below(to, source)
	if !ok {
		if folder, ok = serving.Below(source, to); ok && folder != "" {
			found, err := anyBelow(ctx, p, from, folder, start, matches)
			if found || err != nil {
				return nil, err // the job refuses the ends
			}
		}
	}
	if !ok || folder == "" {
		return nil, nil
	}
	return []transfer.Option{transfer.WithExclude("/" + location.LiteralPattern(folder))}, nil
}

// anyBelow reports whether a key in a folder of a location matches.
func anyBelow(
	ctx context.Context, p *program.Program, from location.Location, folder, start string,
	matches func(key string) bool,
) (bool, error) {
	if !strings.HasPrefix(folder, start) && !strings.HasPrefix(start, folder) {
		return false, nil
	}
	if from.Kind == location.LocalPath {
		var err error
		if from, err = from.AsBucket(); err != nil {
			return false, err
		}
	}
	bucket, err := p.Stores.OpenFolder(ctx, from)
	if err != nil {
		return false, err
	}
	for entry, err := range bucket.List(ctx, storage.WithAnyOrder(), storage.WithPrefix(folder)) {
		if err != nil || matches(entry.Key) {
			return err == nil, err
		}
	}
	return false, nil
}
