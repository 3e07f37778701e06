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

// tree prints the folders that the arguments name as trees.
func tree(ctx context.Context, p *program.Program, f *treeFlags, args []string) error {
	if f.depth < 0 {
		return argument.Invalid("--depth must not be negative", "")
	}
	walk, err := program.NewWalk(&f.filter, f.literal)
	if err != nil {
		return err
	}
	printRoot := func(r program.Root) error {
		printer := treePrinter{program: p, flags: f, walk: walk, root: r}
		return printer.printRoot(ctx)
	}
	return program.Each(ctx, p, args, func(text string) error {
		return p.EachRoot(ctx, text, walk, printRoot)
	})
}

// A treePrinter prints the folders and objects below a root.
type treePrinter struct {
	program *program.Program
	flags   *treeFlags
	walk    *program.Walk
	root    program.Root
}

// A treeFolder is a folder whose content is printed.
type treeFolder struct {
	key    string
	indent string // beginning of each line
	level  int    // level of its content: 1 for that of the root
}

// A branch is what stands before the name of an entry, and before each line of the entry's content.
type branch struct{ line, below string }

var (
	middleBranch = branch{line: "├── ", below: "│   "}
	lastBranch   = branch{line: "└── ", below: "    "}
)

// printRoot prints the name of the root and, if the root is a folder, its content.
func (t *treePrinter) printRoot(ctx context.Context) error {
	out := t.program.Out
	if !t.program.Global.JSON {
		out.Printf("%s\n", out.Printable(cmp.Or(t.root.Name(), ".")))
	}
	if !t.root.Entry.IsPrefix {
		return nil
	}
	return t.printContent(ctx, treeFolder{key: t.root.Name(), level: 1})
}

// printContent prints the content of a folder. It prints an entry only when the next one has come or
// the listing has ended, because the branch of the last entry is different.
func (t *treePrinter) printContent(ctx context.Context, folder treeFolder) error {
	entries := t.root.Bucket.List(ctx,
		storage.WithAnyOrder(), storage.WithPrefix(folder.key), storage.WithDelimiter("/"))
	var last storage.ListEntry
	for entry, err := range entries {
		if err != nil {
			return err
		}
		if entry.Key == folder.key || !t.selects(entry) {
			continue
		}
		if last.Key != "" {
			if err := t.print(ctx, folder, last, middleBranch); err != nil {
				return err
			}
		}
		last = entry
	}
	if last.Key == "" {
		return nil
	}
	return t.print(ctx, folder, last, lastBranch)
}

// selects reports whether an entry is printed.
func (t *treePrinter) selects(e storage.ListEntry) bool {
	if program.IsMarker(e) {
		// The object only marks a folder, which is printed itself.
		return false
	}
	if t.flags.foldersOnly && !e.IsPrefix {
		return false
	}
	return program.SelectsBelow(t.walk.Filter, t.root.Top, e)
}

// print prints an entry of a folder and, if it is a folder itself, its content.
func (t *treePrinter) print(ctx context.Context, folder treeFolder, e storage.ListEntry, b branch) error {
	out := t.program.Out
	name := out.Printable(strings.TrimPrefix(e.Key, folder.key))
	switch {
	case t.program.Global.JSON:
		if err := printEntry(t.program, &lsFlags{json: true}, e); err != nil {
			return err
		}
	case t.flags.long && !e.IsPrefix:
		out.Printf("%s%s%s  (%s)\n", folder.indent, b.line, name, console.FormatSize(e.Size))
	default:
		out.Printf("%s%s%s\n", folder.indent, b.line, name)
	}
	if out.Err != nil {
		return out.Err
	}

	isDeepest := t.flags.depth > 0 && folder.level >= t.flags.depth
	if !e.IsPrefix || isDeepest {
		return nil
	}
	return t.printContent(ctx, treeFolder{key: e.Key, indent: folder.indent + b.below, level: folder.level + 1})
}
