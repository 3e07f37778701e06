package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
)

// A removing is what the flags of rm say.
type removing struct {
	recursive, all, dryRun, verbose bool
	options                         []storage.RemoveOption
	look                            []storage.AttrsOption // the same, to look for it
}

func (p *program) rmCommand() *cobra.Command {
	var f removing
	var version, revision string
	c := &cobra.Command{
		Use:   "rm [flags] ADDRESS...",
		Short: "Remove objects, and with -r what is in folders",
		Long: `Removes objects. What is not there is no failure. With -r the address is a folder:
"photos" means all that is under "photos/", and nothing else; of a whole bucket only
with --all. Keys are printed with -v, and with --dry-run, which removes nothing.`,
		Example: `  omnibucket rm 's3://photos/2026/a.jpg?region=eu-west-1'
  omnibucket rm -r --dry-run gs://photos/2025
  omnibucket rm -r --all file:///tmp/scratch`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("version") {
				f.options, f.look = append(f.options, storage.WithVersion(version)), append(f.look, storage.WithVersion(version))
			}
			if c.Flags().Changed("if-revision") {
				f.options, f.look = append(f.options, storage.IfRevision(revision)), append(f.look, storage.IfRevision(revision))
			}
			return p.rm(c.Context(), &f, args)
		},
	}
	flags := c.Flags()
	flags.BoolVarP(&f.recursive, "recursive", "r", false, "remove everything in the folder of this name")
	flags.BoolVar(&f.all, "all", false, "with -r: let the folder be a whole bucket")
	flags.StringVar(&version, "version", "", "remove this kept `version`, for good")
	flags.StringVar(&revision, "if-revision", "", "only where the object is of this `revision` (else exit code 4)")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print what would be removed, and remove nothing")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "print every key")
	return c
}

func (p *program) rm(ctx context.Context, f *removing, args []string) error {
	if f.recursive && len(f.options) > 0 {
		return invalid("--version and --if-revision are of one object, and do not fit -r", "")
	}
	return p.each(ctx, args, func(text string) error {
		bucket, l, err := p.openObject(ctx, text)
		switch {
		case err != nil:
			return err
		case f.recursive && l.key == "" && !f.all:
			return invalid("this would remove everything in the bucket", "-r --all does")
		case f.recursive:
			return p.rmFolder(ctx, f, bucket, folder(l.key))
		case l.isFolder():
			return invalid("this is a folder", "-r removes what is in it")
		}
		return p.rmOne(ctx, f, bucket, l.key)
	})
}

func (p *program) rmOne(ctx context.Context, f *removing, bucket storage.Bucket, key string) error {
	if f.dryRun {
		exists, err := bucket.Exists(ctx, key, f.look...)
		if exists {
			p.printf("%s\n", p.show(key))
		}
		return err
	}
	err := bucket.Remove(ctx, key, f.options...)
	if err == nil && f.verbose {
		p.printf("%s\n", p.show(key))
	}
	return err
}

// rmFolder removes what is under a prefix. With -v a key is printed when it is
// taken; one that could not be removed is told of as an error too.
func (p *program) rmFolder(ctx context.Context, f *removing, bucket storage.Bucket, prefix string) error {
	if f.dryRun {
		for entry, err := range bucket.List(ctx, storage.WithPrefix(prefix)) {
			if err != nil {
				return err
			}
			p.printf("%s\n", p.show(entry.Key))
		}
		return nil
	}
	_, err := storage.RemoveMatching(ctx, bucket, func(entry storage.ListEntry) bool {
		if f.verbose {
			p.printf("%s\n", p.show(entry.Key))
		}
		return ctx.Err() == nil
	}, storage.WithPrefix(prefix))
	return err
}
