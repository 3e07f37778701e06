package main

import (
	"cmp"
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
)

// treeFlags are the flags of tree.
type treeFlags struct {
	filter        filterFlags
	literal, long bool
	foldersOnly   bool
	depth         int
}

func (p *program) treeCommand() *cobra.Command {
	var f treeFlags
	c := &cobra.Command{
		Use:   "tree [flags] ADDRESS...",
		Short: "Print folders and objects as a tree",
		Long: `Prints the folders and objects in a folder as a tree. With --json, prints an object in
each line, as ls does.
` + wildcardHelp,
		Example: `  omnibucket tree --depth 2 's3://photos?region=eu-west-1'
  omnibucket tree --folders gs://photos/2026
  omnibucket tree -l --include '*.jpg' file:///srv/files`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return p.tree(c.Context(), &f, args) },
	}
	c.Flags().IntVar(&f.depth, "depth", 0, "print at most this `number` of levels")
	c.Flags().BoolVar(&f.foldersOnly, "folders", false, "print only folders")
	c.Flags().BoolVarP(&f.long, "long", "l", false, "print the sizes of objects")
	literalFlag(c, &f.literal)
	f.filter.register(c)
	return c
}

func (p *program) tree(ctx context.Context, f *treeFlags, args []string) error {
	if f.depth < 0 {
		return invalid("--depth must not be negative", "")
	}
	w, err := newWalk(&f.filter, f.literal)
	if err != nil {
		return err
	}
	return each(ctx, p, args, func(text string) error {
		return p.eachRoot(ctx, text, w, func(r root) error {
			if !p.global.json {
				p.printf("%s\n", p.printable(cmp.Or(r.name(), ".")))
			}
			if !r.entry.IsPrefix {
				return nil
			}
			return p.branches(ctx, f, w, r, r.name(), "", 1)
		})
	})
}

// branches prints what lies in a folder. It prints a line when it knows whether another
// follows.
func (p *program) branches(ctx context.Context, f *treeFlags, w *walk, r root, folder, indent string, level int) error {
	var last storage.ListEntry
	for entry, err := range r.bucket.List(ctx, storage.WithPrefix(folder), storage.WithDelimiter("/")) {
		if err != nil {
			return err
		}
		if entry.Key == folder || isMarker(entry) || f.foldersOnly && !entry.IsPrefix || !selectsBelow(w.filter, r.top, entry) {
			continue
		}
		if last.Key != "" {
			if err := p.branch(ctx, f, w, r, folder, last, indent, "├── ", "│   ", level); err != nil {
				return err
			}
		}
		last = entry
	}
	if last.Key == "" {
		return nil
	}
	return p.branch(ctx, f, w, r, folder, last, indent, "└── ", "    ", level)
}

func (p *program) branch(ctx context.Context, f *treeFlags, w *walk, r root, folder string, e storage.ListEntry, indent, line, below string, level int) error {
	name := p.printable(strings.TrimPrefix(e.Key, folder))
	switch {
	case p.global.json:
		if err := p.printEntry(&lsFlags{json: true}, e); err != nil {
			return err
		}
	case f.long && !e.IsPrefix:
		p.printf("%s%s%s  (%s)\n", indent, line, name, formatSize(e.Size))
	default:
		p.printf("%s%s%s\n", indent, line, name)
	}
	if p.out.err != nil {
		return p.out.err
	}
	if !e.IsPrefix || f.depth > 0 && level >= f.depth {
		return nil
	}
	return p.branches(ctx, f, w, r, e.Key, indent+below, level+1)
}
