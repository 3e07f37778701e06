package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
)

// findFlags are the flags of find.
type findFlags struct {
	ls              lsFlags // only long, human and json
	filter          filterFlags
	literal, print0 bool
	maxDepth, limit int
}

func (p *program) findCommand() *cobra.Command {
	var f findFlags
	c := &cobra.Command{
		Use:   "find [flags] ADDRESS...",
		Short: "Print the keys of objects that flags select",
		Long: `Prints the keys of all objects in folders that the flags select. A pattern without a
slash matches at any depth. Nothing selected is no error.
` + wildcardHelp,
		Example: `  omnibucket find --include '*.jpg' --min-size 10M 's3://photos?region=eu-west-1'
  omnibucket find --older 30d --print0 logs: | xargs -0 -n 1 echo
  omnibucket find -l --newer 2026-11-01 --max-depth 2 file:///srv/files`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("limit") && f.limit < 1 {
				return invalid("--limit must be at least 1", "")
			}
			if f.maxDepth < 0 {
				return invalid("--max-depth must not be negative", "")
			}
			f.ls.json = p.global.json
			return p.find(c.Context(), &f, args)
		},
	}
	flags := c.Flags()
	flags.BoolVarP(&f.ls.long, "long", "l", false, "print size, time and key")
	humanFlag(c, &f.ls.human, "with -l: print sizes in KiB, MiB and so on")
	flags.BoolVarP(&f.print0, "print0", "0", false, "end each key with a zero byte, for xargs -0")
	flags.IntVar(&f.maxDepth, "max-depth", 0, "find only objects of up to this `number` of levels below the address")
	flags.IntVar(&f.limit, "limit", 0, "print at most this `number`")
	literalFlag(c, &f.literal)
	f.filter.register(c)
	return c
}

func (p *program) find(ctx context.Context, f *findFlags, args []string) error {
	w, err := newWalk(&f.filter, f.literal)
	if err != nil {
		return err
	}
	printed := 0
	return p.eachFile(ctx, args, w, func(r root, e storage.ListEntry) error {
		if f.maxDepth > 0 && r.entry.IsPrefix && strings.Count(e.Key[len(r.name()):], "/") >= f.maxDepth {
			return nil
		}
		if printed++; f.limit > 0 && printed > f.limit {
			return errEnough
		}
		if f.print0 && !f.ls.json {
			p.printf("%s\x00", e.Key)
			return p.out.err
		}
		return p.printEntry(&f.ls, e)
	})
}
