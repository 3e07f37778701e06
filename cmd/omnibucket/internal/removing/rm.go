// Package removing has the commands that remove or restore objects: rm, expire, undelete and
// restore.
package removing

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/transfer"
)

// rmFlags are the flags of rm.
type rmFlags struct {
	recursive, all, literal bool
	force                   bool
	inventory               string
	filter                  program.FilterFlags
	options                 []storage.RemoveOption
	attrsOptions            []storage.AttrsOption // the same conditions as in options, for Exists
}

// Rm returns the command rm, which removes objects.
func Rm(p *program.Program) *cobra.Command {
	var f rmFlags
	var version, revision string
	c := &cobra.Command{
		Use:   "rm [flags] LOCATION...",
		Short: "Remove objects, or the content of folders with -r",
		Long: `Removes objects. If an object does not exist, a message on standard error says so, but
the command does not fail. With -r, the location is a folder: "photos" means everything
under "photos/", and nothing else. A whole bucket also needs --all. With -v, prints the
removed keys. With --dry-run, prints them and removes nothing.

With -r or wildcards, flags such as --older select what is removed.
` + program.WildcardHelp,
		Example: `  omnibucket rm 's3://photos/2026/a.jpg?region=eu-west-1'
  omnibucket rm -r --dry-run gs://photos/2025
  omnibucket rm -r --all file:///tmp/scratch`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("version") {
				f.options = append(f.options, storage.WithVersion(version))
				f.attrsOptions = append(f.attrsOptions, storage.WithVersion(version))
			}
			if c.Flags().Changed("if-revision") {
				f.options = append(f.options, storage.IfRevision(revision))
				f.attrsOptions = append(f.attrsOptions, storage.IfRevision(revision))
			}
			return rm(c.Context(), p, &f, args)
		},
	}

	flags := c.Flags()
	flags.BoolVarP(&f.recursive, "recursive", "r", false, "remove everything in the folder of this name")
	flags.BoolVarP(&f.force, "force", "f", false, "say nothing if there is nothing to remove")
	flags.BoolVar(&f.all, "all", false, "with -r: allow removing everything in a bucket")
	flags.StringVar(&version, "version", "", "permanently remove this `version`")
	flags.StringVar(
		&revision, "if-revision", "",
		"remove only if the object has this `revision` (otherwise exit code 4)",
	)
	program.InventoryFlag(flags, &f.inventory)
	program.LiteralFlag(c, &f.literal)
	f.filter.Register(c)
	return c
}

// rm removes what the arguments name.
func rm(ctx context.Context, p *program.Program, f *rmFlags, args []string) error {
	if f.recursive && len(f.options) > 0 {
		return argument.Invalid("--version and --if-revision must not be used with -r", "")
	}
	if f.inventory != "" && (!f.recursive || len(args) > 1) {
		return argument.Invalid("--inventory must be used with -r and one location", "")
	}
	filter, err := f.filter.Filter()
	if err != nil {
		return err
	}

	if f.recursive {
		// Remove one argument at a time, because a recursive removal is already parallel.
		return program.Each(ctx, p, args, func(text string) error {
			result, err := rmArgument(ctx, p, f, filter, text)
			if err != nil {
				return err
			}
			result.print(ctx, p, f.force)
			return nil
		})
	}

	// Remove in parallel, and print the results in the order of the arguments.
	err = program.EachAtOnce(ctx, p, args, func(ctx context.Context, text string) (report func() error) {
		result, err := rmArgument(ctx, p, f, filter, text)
		return func() error {
			if err != nil {
				return err
			}
			result.print(ctx, p, f.force)
			return nil
		}
	})
	p.SummarizeDone("deleted", len(args), err)
	return err
}

// rmArgument removes what text names: an object, with -r a folder, or what matches wildcards. The result of one object
// is not printed yet. The result is nil if everything has been printed.
func rmArgument(
	ctx context.Context, p *program.Program, f *rmFlags, filter *transfer.Filter, text string,
) (*rmResult, error) {
	l, err := p.Stores.LocateEntry(text)
	if err != nil {
		return nil, err
	}
	if f.recursive && !f.all && l.Path != "" && location.IsDots(l.Path) {
		return nil, argument.Invalid(
			"removing \".\" or \"..\" needs --all",
			"use the path of the directory, which shows what is removed",
		)
	}

	// dir is nil in a bucket. Its methods then do nothing.
	bucket, dir, err := openPlain(ctx, p, l)
	if err != nil {
		return nil, err
	}
	// A plain directory has the clock of this machine, and a dry run must not store an object to read that of a store.
	if dir == nil && !p.Global.DryRun {
		f, filter, err = withStoreClock(ctx, f, filter, bucket, l)
		if err != nil {
			return nil, err
		}
	}

	switch {
	case l.HasWildcard && !f.literal:
		return nil, rmMatching(ctx, p, f, filter, bucket, l)
	case f.recursive && l.Key == "" && !f.all:
		return nil, argument.Invalid(
			"removing everything in a bucket needs --all",
			"use -r --all to remove everything in the bucket",
		)
	case f.inventory != "":
		return nil, rmListed(ctx, p, f, l)
	case f.recursive && !f.filter.Given():
		return rmTree(ctx, p, f, filter, bucket, dir, l)
	case f.recursive:
		folder := location.AsFolder(l.Key)
		return nil, rmFolder(ctx, p, f, filter, bucket, folder, folder)
	case f.filter.Given():
		return nil, argument.Invalid("flags that select files need -r or wildcards", "")
	case l.IsFolder():
		return nil, argument.Invalid(
			"key must not be that of a folder",
			"use -r to remove everything in the folder",
		)
	}
	return rmOne(ctx, p, f, bucket, l.Key)
}

// rmTree removes everything in a folder. As the rm of the system does, it removes a symbolic link itself and not what
// the link leads to.
func rmTree(
	ctx context.Context, p *program.Program, f *rmFlags, filter *transfer.Filter, bucket storage.Bucket,
	dir *plainDirectory, l location.Location,
) (*rmResult, error) {
	if dir.isLink(l) {
		return rmOne(ctx, p, f, bucket, strings.TrimSuffix(l.Key, "/"))
	}

	folder := location.AsFolder(l.Key)
	if err := rmFolder(ctx, p, f, filter, bucket, folder, folder); err != nil {
		return nil, err
	}
	dir.printRemaining(p, folder)
	return nil, nil
}

// withStoreClock returns a copy of the flags, and its filter, in which --older and --newer count from
// the time of the store. If no flag depends on the time, it returns its arguments.
func withStoreClock(
	ctx context.Context, f *rmFlags, filter *transfer.Filter, bucket storage.Bucket, l location.Location,
) (*rmFlags, *transfer.Filter, error) {
	folder := l.Key
	if l.HasWildcard && !f.literal {
		folder, _ = location.SplitPattern(l.Glob())
	}

	filterFlags, err := f.filter.ByClockOf(ctx, bucket, folder)
	if err != nil {
		return nil, nil, err
	}
	if filterFlags == nil {
		// No flag depends on the time.
		return f, filter, nil
	}

	flags := *f
	flags.filter = *filterFlags
	filter, err = filterFlags.Filter()
	return &flags, filter, err
}

// rmListed removes the objects of a folder that an inventory lists.
func rmListed(ctx context.Context, p *program.Program, f *rmFlags, l location.Location) error {
	opts, err := f.filter.Options()
	if err != nil {
		return err
	}
	bucket, err := p.Stores.OpenFolder(ctx, l)
	if err != nil {
		return err
	}
	inventoryOpts, err := p.Stores.InventoryOption(ctx, f.inventory, bucket)
	if err != nil {
		return err
	}
	opts = append(opts, inventoryOpts...)

	report, err := p.RunJob(func(progressOpts ...transfer.Option) (*transfer.Report, error) {
		return transfer.Remove(ctx, bucket, append(progressOpts, opts...)...)
	})
	err = program.Multiline(err)
	p.Summarize(report, err)
	return err
}

// An rmResult is the result of removing one object.
type rmResult struct {
	bucket    storage.Lister
	key       string
	isMissing bool // true if there was no such object
}

// print prints the result, if there is one. With -f, it says nothing of a missing object.
func (r *rmResult) print(ctx context.Context, p *program.Program, force bool) {
	if r == nil {
		return
	}
	if r.isMissing {
		if !force {
			printNothingRemoved(ctx, p, r.bucket, r.key)
		}
		return
	}

	const unknownSize = 0
	emitRemoved(p, r.key, unknownSize)
	p.CountDone("deleted " + console.Printable(r.key))
}

// rmOne removes one object. A missing object is not an error, but the result says so, because its key may be misspelled.
func rmOne(
	ctx context.Context, p *program.Program, f *rmFlags, bucket storage.Bucket, key string,
) (*rmResult, error) {
	// A removal succeeds even if there is no object, so ask for it first. Without permission to read, the object may
	// still be removed.
	exists, existsErr := bucket.Exists(ctx, key, f.attrsOptions...)

	if err := program.IgnoreDryRun(bucket.Remove(ctx, key, f.options...)); err != nil {
		return nil, err
	}
	// In a dry run, Remove has made no request, so only Exists shows whether the object can be reached.
	if p.Global.DryRun && existsErr != nil {
		return nil, existsErr
	}
	isMissing := existsErr == nil && !exists
	return &rmResult{bucket: bucket, key: key, isMissing: isMissing}, nil
}

// printNothingRemoved tells the user that an object does not exist, and if there is a folder of this
// name, how to remove that.
func printNothingRemoved(ctx context.Context, p *program.Program, bucket storage.Lister, key string) {
	message := fmt.Sprintf("object %q does not exist", key)
	if program.HasAny(ctx, bucket, location.AsFolder(key)) {
		message += fmt.Sprintf(" (to remove everything under %q, use -r)", location.AsFolder(key))
	}
	p.Note("omnibucket: nothing was removed: %s", console.Printable(message))
}

// printNothingBelow tells the user that a folder has no objects, or none that the flags select.
func printNothingBelow(ctx context.Context, p *program.Program, bucket storage.Lister, folder string) {
	message := fmt.Sprintf("no object is under %q", folder)
	if program.HasAny(ctx, bucket, folder) {
		message = fmt.Sprintf("the flags select no object under %q", folder)
	}
	p.Note("omnibucket: nothing was removed: %s", console.Printable(message))
}

// emitRemoved reports a removed object.
func emitRemoved(p *program.Program, key string, size int64) {
	p.Emit(program.Event{Event: "removed", Key: key, Bytes: size}, p.Out.Printable(key))
}

// rmFolder removes the objects below a folder that the filter selects. The patterns of the filter are relative to the
// folder top, which is folder or a parent of it.
func rmFolder(
	ctx context.Context, p *program.Program, f *rmFlags, filter *transfer.Filter, bucket storage.Bucket,
	folder, top string,
) error {
	selected := 0
	entries := func(yield func(storage.ListEntry, error) bool) {
		for entry, err := range program.ListBelow(ctx, bucket, folder) {
			if err == nil && !program.SelectsBelow(filter, top, entry) {
				continue
			}
			selected++
			if !yield(entry, err) {
				return
			}
		}
	}
	if err := removeOrShow(ctx, p, bucket, entries); err != nil {
		return err
	}

	if selected == 0 && !f.force && ctx.Err() == nil {
		printNothingBelow(ctx, p, bucket, folder)
	}
	return nil
}
