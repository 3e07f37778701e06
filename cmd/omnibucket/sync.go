package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
)

// transferConcurrency is package transfer's own default.
const transferConcurrency = 32

// A syncFlags is what the flags of sync say.
type syncFlags struct {
	remove, dryRun, checksum, links, noSync, verbose bool
	emptySource                                      bool
	include, exclude                                 []string
	concurrency                                      int
	resume                                           string
}

func (p *program) syncCommand() *cobra.Command {
	var f syncFlags
	c := &cobra.Command{
		Use:   "sync [flags] SOURCE DESTINATION",
		Short: "Bring one tree, of a directory or a bucket, to be like another",
		Long: `Brings to the destination what is in the source and not the same there. Both are a
directory of this machine or a folder in a bucket. The same command goes on where one
was cut short. What was done is told on standard error at the end.

Patterns are those of a .gitignore file. Without a slash, or with one only at its end, a
pattern matches at any depth: '*.jpg', 'node_modules/'. Any other matches from the top:
'2026/*.jpg', '/*.jpg'. ** stands for any number of folders, and a slash at the end for
everything in a folder. What --exclude leaves out is not removed either. If the
source has nothing in it, --delete removes nothing and the exit code is 3: a name that
is misspelt looks the same. With --empty-source it removes everything.`,
		Example: `  omnibucket sync --delete ./public 'gs://site'
  omnibucket sync --dry-run --exclude '*.tmp' 's3://photos/2026?region=eu-west-1' ./2026
  omnibucket sync --resume ~/.cache/backup file:///srv/photos 'azblob://backup/photos?account=myaccount'`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error { return p.sync(c.Context(), &f, args[0], args[1]) },
	}
	flags := c.Flags()
	flags.BoolVar(&f.remove, "delete", false, "remove from the destination what the source does not have")
	flags.BoolVar(&f.emptySource, "empty-source", false, "with --delete: remove everything if the source has nothing in it")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print what would be done, and do nothing")
	flags.BoolVar(&f.checksum, "checksum", false, "compare checksums, not times")
	flags.StringArrayVar(&f.include, "include", nil, "take only keys that match this `pattern`; may be given several times")
	flags.StringArrayVar(&f.exclude, "exclude", nil, "leave out keys that match this `pattern`; may be given several times")
	flags.IntVar(&f.concurrency, "concurrency", transferConcurrency, "how many requests may be under way at once")
	flags.StringVar(&f.resume, "resume", "", "keep in this `directory` how far large uploads have come")
	flags.BoolVar(&f.links, "links", false, "follow symbolic links that stay in the source directory")
	flags.BoolVar(&f.noSync, "no-sync", false, noSyncUsage)
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "print every change")
	return c
}

func (f *syncFlags) options() []transfer.Option {
	opts := []transfer.Option{transfer.WithConcurrency(f.concurrency)}
	for _, flag := range []struct {
		given bool
		with  func() transfer.Option
	}{
		{f.remove, transfer.WithDelete}, {f.emptySource, transfer.WithEmptySource}, {f.dryRun, transfer.WithDryRun},
		{f.checksum, transfer.WithChecksum}, {f.links, transfer.WithLinks}, {f.noSync, transfer.WithNoSync},
	} {
		if flag.given {
			opts = append(opts, flag.with())
		}
	}
	if len(f.include) > 0 {
		opts = append(opts, transfer.WithInclude(f.include...))
	}
	if len(f.exclude) > 0 {
		opts = append(opts, transfer.WithExclude(f.exclude...))
	}
	if f.resume != "" {
		opts = append(opts, transfer.WithResume(f.resume))
	}
	return opts
}

func (p *program) sync(ctx context.Context, f *syncFlags, source, destination string) error {
	src, dst, err := p.syncEnds(ctx, f, source, destination)
	if err != nil {
		return err
	}
	screen := newProgressLine(p.err, p.out)
	opts := f.options()
	if screen.terminal {
		opts = append(opts, transfer.WithProgress(screen.progress))
	}
	if f.verbose || f.dryRun {
		opts = append(opts, transfer.WithChanges(func(c transfer.Change) {
			if c.Action != transfer.Failed { // these are told at the end, with the reason
				screen.print(fmt.Sprintf("%s %s\n", c.Action, p.printable(c.Key)))
			}
		}))
	}
	report, err := p.transfer(ctx, dst, src, opts)
	if own := (*storage.Error)(nil); errors.As(err, &own) && own.Code == storage.ObjectNotFound && own.Key == "" {
		flagged := *own // the library's hint names an option of Go
		flagged.Hint = emptySourceHint
		err = &flagged
	}
	screen.clear()
	if report != nil {
		summary, _, _ := strings.Cut(report.String(), "\n") // the failures follow, as errors
		_, _ = fmt.Fprintln(p.err, summary)
	}
	return err
}

const emptySourceHint = "check the source; to delete everything, use --empty-source"

// syncEnds reads where to sync from and to, and refuses what would remove more than
// was meant.
func (p *program) syncEnds(ctx context.Context, f *syncFlags, source, destination string) (src, dst location, err error) {
	if src, err = p.locate(source); err != nil {
		return src, dst, err
	}
	if dst, err = p.locate(destination); err != nil {
		return src, dst, err
	}
	if folder := src.prefix + src.key; src.kind == inBucket && folder != "" && (src.hasWildcard || f.remove) && !f.emptySource {
		// A folder that is misspelt has nothing in it, even if the destination has
		// nothing either. Nor has one that is written with wildcards, as a rule.
		full, err := p.hasObjects(ctx, src)
		if err == nil && !full {
			err = &storage.Error{Code: storage.ObjectNotFound, Op: "Sync", Key: folder, Err: errors.New("the source has nothing in it: nothing was deleted"), Hint: emptySourceHint}
		}
		return src, dst, err
	}
	return src, dst, nil
}
