package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
)

// rmFlags are the flags of rm.
type rmFlags struct {
	recursive, all, literal bool
	filter                  filterFlags
	options                 []storage.RemoveOption
	attrsOptions            []storage.AttrsOption // the same, for Exists
}

func (p *program) rmCommand() *cobra.Command {
	var f rmFlags
	var version, revision string
	c := &cobra.Command{
		Use:   "rm [flags] ADDRESS...",
		Short: "Remove objects, or the content of folders with -r",
		Long: `Removes objects. If an object does not exist, a message on standard error says so, but
the command does not fail. With -r, the address is a folder: "photos" means everything
under "photos/", and nothing else. A whole bucket also needs --all. With -v, prints the
removed keys. With --dry-run, prints them and removes nothing.

With -r or wildcards, flags such as --older select what is removed.
` + wildcardHelp,
		Example: `  omnibucket rm 's3://photos/2026/a.jpg?region=eu-west-1'
  omnibucket rm -r --dry-run gs://photos/2025
  omnibucket rm -r --all file:///tmp/scratch`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("version") {
				f.options, f.attrsOptions = append(f.options, storage.WithVersion(version)), append(f.attrsOptions, storage.WithVersion(version))
			}
			if c.Flags().Changed("if-revision") {
				f.options, f.attrsOptions = append(f.options, storage.IfRevision(revision)), append(f.attrsOptions, storage.IfRevision(revision))
			}
			return p.rm(c.Context(), &f, args)
		},
	}
	flags := c.Flags()
	flags.BoolVarP(&f.recursive, "recursive", "r", false, "remove everything in the folder of this name")
	flags.BoolVar(&f.all, "all", false, "with -r: allow removing everything in a bucket")
	flags.StringVar(&version, "version", "", "permanently remove this `version`")
	flags.StringVar(&revision, "if-revision", "", "remove only if the object has this `revision` (otherwise exit code 4)")
	literalFlag(c, &f.literal)
	f.filter.register(c)
	return c
}

func (p *program) rm(ctx context.Context, f *rmFlags, args []string) error {
	if f.recursive && len(f.options) > 0 {
		return invalid("--version and --if-revision must not be used with -r", "")
	}
	filter, err := f.filter.filter()
	if err != nil {
		return err
	}
	if f.recursive { // which removes in parallel
		return each(ctx, p, args, func(text string) error { return p.rmArgument(ctx, f, filter, text)() })
	}
	return eachAtOnce(ctx, p, args, func(ctx context.Context, text string) func() error { return p.rmArgument(ctx, f, filter, text) })
}

// rmArgument removes what an argument names. It returns what reports that.
func (p *program) rmArgument(ctx context.Context, f *rmFlags, filter *transfer.Filter, text string) (finish func() error) {
	done := func(err error) func() error { return func() error { return err } }
	l, err := p.locateEntry(text)
	if err != nil {
		return done(err)
	}
	if f.recursive && !f.all && l.path != "" && isDots(l.path) {
		return done(invalid("removing \".\" or \"..\" needs --all", "use the path of the directory, which shows what is removed"))
	}
	bucket, err := p.open(ctx, l)
	if err == nil {
		bucket = p.asPlain(bucket, l)
	}
	switch {
	case err != nil:
		return done(err)
	case l.hasWildcard && !f.literal:
		return done(p.rmMatching(ctx, f, filter, bucket, l))
	case f.recursive && l.key == "" && !f.all:
		return done(invalid("removing everything in a bucket needs --all", "use -r --all to remove everything in the bucket"))
	case f.recursive:
		return done(p.rmFolder(ctx, filter, bucket, asFolder(l.key), asFolder(l.key)))
	case f.filter.given():
		return done(invalid("flags that select files need -r or wildcards", ""))
	case l.isFolder():
		return done(invalid("key must not be that of a folder", "use -r to remove everything in the folder"))
	}
	return p.rmOne(ctx, f, bucket, l.key)
}

// rmOne removes one object, and returns what reports that. If the object did not exist, it says
// so: the key may be misspelled.
func (p *program) rmOne(ctx context.Context, f *rmFlags, bucket storage.Bucket, key string) (finish func() error) {
	exists, err := bucket.Exists(ctx, key, f.attrsOptions...)
	missing := err == nil && !exists
	if failed := ofDryRun(bucket.Remove(ctx, key, f.options...)); failed != nil || !p.global.dryRun {
		err = failed
	}
	return func() error {
		switch {
		case err != nil:
			return err
		case missing:
			p.printNothingRemoved(ctx, bucket, key)
		default:
			p.emitRemoved(key, 0)
		}
		return nil
	}
}

// printNothingRemoved reports that an object does not exist.
func (p *program) printNothingRemoved(ctx context.Context, bucket storage.Lister, key string) {
	what := fmt.Sprintf("object %q does not exist", key)
	if hasAny(ctx, bucket, asFolder(key)) {
		what += fmt.Sprintf(" (to remove everything under %q, use -r)", asFolder(key))
	}
	p.note("omnibucket: nothing was removed: %s", printable(what))
}

// printNothingBelow reports that a folder has no objects, or none that the flags select.
func (p *program) printNothingBelow(ctx context.Context, bucket storage.Lister, folder string) {
	what := fmt.Sprintf("no object is under %q", folder)
	if hasAny(ctx, bucket, folder) {
		what = fmt.Sprintf("the flags select no object under %q", folder)
	}
	p.note("omnibucket: nothing was removed: %s", printable(what))
}

// hasAny reports whether a bucket is known to have a key with a prefix.
func hasAny(ctx context.Context, bucket storage.Lister, prefix string) bool {
	for _, err := range bucket.List(ctx, storage.WithPrefix(prefix), storage.WithLimit(1)) {
		return err == nil
	}
	return false
}

// emitRemoved reports a removed object.
func (p *program) emitRemoved(key string, size int64) {
	p.emit(event{Event: "removed", Key: key, Bytes: size}, p.printable(key))
}

// rmFolder removes all objects with a prefix that the filter selects, whose patterns are relative
// to top.
func (p *program) rmFolder(ctx context.Context, filter *transfer.Filter, bucket storage.Bucket, prefix, top string) error {
	found := false
	selected := func(yield func(storage.ListEntry, error) bool) {
		for entry, err := range bucket.List(ctx, storage.WithPrefix(prefix)) {
			if err == nil && !selectsBelow(filter, top, entry) {
				continue
			}
			found = true
			if !yield(entry, err) {
				return
			}
		}
	}
	if err := p.removeOrShow(ctx, bucket, selected); err != nil {
		return err
	}
	if !found && ctx.Err() == nil {
		p.printNothingBelow(ctx, bucket, prefix)
	}
	return nil
}
