package reading

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// findFlags has the flags of the command find.
type findFlags struct {
	ls              lsFlags // only the fields long, human and json are set
	filter          program.FilterFlags
	literal, print0 bool
	maxDepth, limit int
}

// Find returns the command find, which prints the keys of the objects that flags select.
func Find(p *program.Program) *cobra.Command {
	var f findFlags
	c := &cobra.Command{
		Use:   "find [flags] LOCATION...",
		Short: "Print the keys of objects that flags select",
		Long: `Prints the keys of all objects in folders that the flags select. A pattern without a
slash matches at any depth. Nothing selected is no error.
` + program.WildcardHelp,
		Example: `  omnibucket find --include '*.jpg' --min-size 10M 's3://photos?region=eu-west-1'
  omnibucket find --older 30d --print0 logs: | xargs -0 -n 1 echo
  omnibucket find -l --newer 2026-11-01 --max-depth 2 file:///srv/files`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("limit") && f.limit < 1 {
				return argument.Invalid("--limit must be at least 1", "")
			}
			if f.maxDepth < 0 {
				return argument.Invalid("--max-depth must not be negative", "")
			}
			f.ls.json = p.Global.JSON
			return find(c.Context(), p, &f, args)
		},
	}

	flags := c.Flags()
	flags.BoolVarP(&f.ls.long, "long", "l", false, "print size, time and key")
	program.HumanFlag(c, &f.ls.human, "with -l: print sizes in KiB, MiB and so on")
	flags.BoolVarP(&f.print0, "print0", "0", false, "end each key with a zero byte, for xargs -0")
	flags.IntVar(&f.maxDepth, "max-depth", 0, "find only objects of up to this `number` of levels below the location")
	flags.IntVar(&f.limit, "limit", 0, "print at most this `number`")
	program.LiteralFlag(c, &f.literal)
	f.filter.Register(c)
	return c
}

// find prints the keys of the objects that the flags select.
func find(ctx context.Context, p *program.Program, f *findFlags, args []string) error {
	walk, err := program.NewWalk(&f.filter, f.literal)
	if err != nil {
		return err
	}

	printed := 0
	return p.EachFile(ctx, args, walk, func(root program.Root, entry storage.ListEntry) error {
		if f.maxDepth > 0 && root.Entry.IsPrefix {
			keyInRoot := entry.Key[len(root.Name()):]
			if strings.Count(keyInRoot, "/") >= f.maxDepth {
				return nil
			}
		}

		if err := f.print(p, entry); err != nil {
			return err
		}
		printed++
		// Without --limit, the limit is 0.
		if f.limit > 0 && printed == f.limit {
			return program.ErrEnough
		}
		return nil
	})
}

// print prints an object in the format that the flags select.
func (f *findFlags) print(p *program.Program, entry storage.ListEntry) error {
	if f.print0 && !f.ls.json {
		p.Out.Printf("%s\x00", entry.Key)
		return p.Out.Err
	}
	return printEntry(p, &f.ls, entry)
}
