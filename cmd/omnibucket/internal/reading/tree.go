package reading

import (
	"cmp"
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// treeFlags are the flags of tree.
type treeFlags struct {
	filter        program.FilterFlags
	literal, long bool
	foldersOnly   bool
	depth         int
}

// Tree returns the command tree.
func Tree(p *program.Program) *cobra.Command {
	var f treeFlags
	c := &cobra.Command{
		Use:   "tree [flags] LOCATION...",
		Short: "Print folders and objects as a tree",
		Long: `Prints the folders and objects in a folder as a tree. With --json, prints an object in
each line, as ls does.
` + program.WildcardHelp,
		Example: `  omnibucket tree --depth 2 's3://photos?region=eu-west-1'
  omnibucket tree --folders gs://photos/2026
  omnibucket tree -l --include '*.jpg' file:///srv/files`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return tree(c.Context(), p, &f, args) },
	}
	c.Flags().IntVar(&f.depth, "depth", 0, "print at most this `number` of levels")
	c.Flags().BoolVar(&f.foldersOnly, "folders", false, "print only folders")
	c.Flags().BoolVarP(&f.long, "long", "l", false, "print the sizes of objects")
	program.LiteralFlag(c, &f.literal)
	f.filter.Register(c)
	return c
}

func tree(ctx context.Context, p *program.Program, f *treeFlags, args []string) error {
	if f.depth < 0 {
		return argument.Invalid("--depth must not be negative", "")
	}
	w, err := program.NewWalk(&f.filter, f.literal)
	if err != nil {
		return err
	}
	return program.Each(ctx, p, args, func(text string) error {
		return p.EachRoot(ctx, text, w, func(r program.Root) error {
			if !p.Global.JSON {
				p.Out.Printf("%s\n", p.Out.Printable(cmp.Or(r.Name(), ".")))
			}
			if !r.Entry.IsPrefix {
				return nil
			}
			return branches(ctx, p, f, w, r, r.Name(), "", 1)
		})
	})
}

// branches prints the content of a folder. It prints an entry only when it knows whether another
// entry follows, because the last one has a different branch.
func branches(
	ctx context.Context, p *program.Program, f *treeFlags, w *program.Walk, r program.Root, folder, indent string,
	level int,
) error {
	var last storage.ListEntry
	for entry, err := range r.Bucket.List(ctx, storage.WithAnyOrder(), storage.WithPrefix(folder), storage.WithDelimiter("/")) {
		if err != nil {
			return err
		}
		if entry.Key == folder || program.IsMarker(entry) || f.foldersOnly && !entry.IsPrefix ||
			!program.SelectsBelow(w.Filter, r.Top, entry) {
			continue
		}
		if last.Key != "" {
			if err := branch(ctx, p, f, w, r, folder, last, indent, "├── ", "│   ", level); err != nil {
				return err
			}
		}
		last = entry
	}
	if last.Key == "" {
		return nil
	}
	return branch(ctx, p, f, w, r, folder, last, indent, "└── ", "    ", level)
}

func branch(
	ctx context.Context, p *program.Program, f *treeFlags, w *program.Walk, r program.Root, folder string,
	e storage.ListEntry, indent, line, below string, level int,
) error {
	name := p.Out.Printable(strings.TrimPrefix(e.Key, folder))
	switch {
	case p.Global.JSON:
		if err := printEntry(p, &lsFlags{json: true}, e); err != nil {
			return err
		}
	case f.long && !e.IsPrefix:
		p.Out.Printf("%s%s%s  (%s)\n", indent, line, name, console.FormatSize(e.Size))
	default:
		p.Out.Printf("%s%s%s\n", indent, line, name)
	}
	if p.Out.Err != nil {
		return p.Out.Err
	}
	if !e.IsPrefix || f.depth > 0 && level >= f.depth {
		return nil
	}
	return branches(ctx, p, f, w, r, e.Key, indent+below, level+1)
}
