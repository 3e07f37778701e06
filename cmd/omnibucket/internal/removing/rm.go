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
			report := rmArgument(ctx, p, f, filter, text)
			return report()
		})
	}

	err = program.EachAtOnce(ctx, p, args, func(ctx context.Context, text string) (report func() error) {
		return rmArgument(ctx, p, f, filter, text)
	})
	p.SummarizeDone("deleted", len(args), err)
	return err
}

// reportError returns a function that returns err.
func reportError(err error) func() error { return func() error { return err } }

// rmArgument removes what text names: an object, with -r a folder, or what matches wildcards. It returns a function that
// reports the result, so that the results of several arguments are printed in their order.
func rmArgument(
	ctx context.Context, p *program.Program, f *rmFlags, filter *transfer.Filter, text string,
) (report func() error) {
	l, err := p.Stores.LocateEntry(text)
	if err != nil {
		return reportError(err)
	}
	if f.recursive && !f.all && l.Path != "" && location.IsDots(l.Path) {
		return reportError(argument.Invalid(
			"removing \".\" or \"..\" needs --all",
			"use the path of the directory, which shows what is removed",
		))
	}

	// dir is nil in a bucket. Its methods then do nothing.
	bucket, dir, err := openPlain(ctx, p, l)
	if err != nil {
		return reportError(err)
	}
	// A plain directory has the clock of this machine, and a dry run must not store an object to read that of a store.
	if dir == nil && !p.Global.DryRun {
		if f, filter, err = withStoreClock(ctx, f, filter, bucket, l); err != nil {
			return reportError(err)
		}
	}

	if l.HasWildcard && !f.literal {
		return reportError(rmMatching(ctx, p, f, filter, bucket, l))
	}
	if f.recursive && l.Key == "" && !f.all {
		return reportError(argument.Invalid(
			"removing everything in a bucket needs --all",
			"use -r --all to remove everything in the bucket",
		))
	}
	if f.inventory != "" {
		return reportError(rmListed(ctx, p, f, l))
	}

	if f.recursive {
		// As the rm of the system does, remove a link itself and not what it leads to.
		if !f.filter.Given() && dir.isLink(l) {
			return rmOne(ctx, p, f, bucket, strings.TrimSuffix(l.Key, "/"))
		}

		folder := location.AsFolder(l.Key)
		err := rmFolder(ctx, p, f, filter, bucket, folder, folder)
		if err == nil && !f.filter.Given() {
			dir.printRemaining(p, folder)
		}
		return reportError(err)
	}

	// Without -r, the location must be that of one object.
	if f.filter.Given() {
		return reportError(argument.Invalid("flags that select files need -r or wildcards", ""))
	}
	if l.IsFolder() {
		return reportError(argument.Invalid(
			"key must not be that of a folder",
			"use -r to remove everything in the folder",
		))
	}
	return rmOne(ctx, p, f, bucket, l.Key)
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
	err = program.InLines(err)
	p.Summarize(report, err)
	return err
}

// rmOne removes one object, and returns a function that reports the result. A missing object is
// reported too, because its key may be misspelled.
func rmOne(
	ctx context.Context, p *program.Program, f *rmFlags, bucket storage.Bucket, key string,
) (report func() error) {
	// A removal succeeds even if there is no object, so ask for it first. Without permission to read, the object may
	// still be removed.
	exists, existsErr := bucket.Exists(ctx, key, f.attrsOptions...)
	isMissing := existsErr == nil && !exists

	err := program.OfDryRun(bucket.Remove(ctx, key, f.options...))
	if err == nil && p.Global.DryRun {
		// Remove has made no request, so only Exists shows whether the object can be reached.
		err = existsErr
	}
	return func() error {
		if err != nil {
			return err
		}
		if isMissing && f.force {
			return nil
		}
		if isMissing {
			printNothingRemoved(ctx, p, bucket, key)
			return nil
		}
		const unknownSize = 0
		emitRemoved(p, key, unknownSize)
		p.CountDone("deleted " + console.Printable(key))
		return nil
	}
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

// rmFolder removes the objects whose keys have a prefix, if the filter selects them. The patterns
// of the filter are relative to the folder in top.
func rmFolder(
	ctx context.Context, p *program.Program, f *rmFlags, filter *transfer.Filter, bucket storage.Bucket,
	prefix, top string,
) error {
	isEmpty := true
	selected := func(yield func(storage.ListEntry, error) bool) {
		for entry, err := range program.ListBelow(ctx, bucket, prefix) {
			// The caller of the sequence gets the errors, too.
			isSelected := err != nil || program.SelectsBelow(filter, top, entry)
			if !isSelected {
				continue
			}
			// If the folder could not be listed, it is not known to be empty.
			isEmpty = false
			if !yield(entry, err) {
				return
			}
		}
	}
	if err := removeOrShow(ctx, p, bucket, selected); err != nil {
		return err
	}
	if isEmpty && !f.force && ctx.Err() == nil {
		printNothingBelow(ctx, p, bucket, prefix)
	}
	return nil
}
