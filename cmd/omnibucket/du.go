package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
)

// duFlags are the flags of du.
type duFlags struct {
	filter         filterFlags
	literal, human bool
	depth          int
}

func (p *program) duCommand() *cobra.Command {
	var f duFlags
	c := &cobra.Command{
		Use:   "du [flags] ADDRESS...",
		Short: "Add up the sizes of objects",
		Long: `Prints the size in bytes and the number of the objects in each folder, and its name. With
--depth, prints the folders below it, too. Old versions are not counted.
` + wildcardHelp,
		Example: `  omnibucket du 's3://photos?region=eu-west-1'
  omnibucket du --human --depth 1 gs://photos/2026
  omnibucket du --older 365d 'photos:20*'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return p.du(c.Context(), &f, args) },
	}
	c.Flags().IntVar(&f.depth, "depth", 0, "also print folders of up to this `number` of levels below the address")
	humanFlag(c, &f.human, "print sizes in KiB, MiB and so on")
	literalFlag(c, &f.literal)
	f.filter.register(c)
	return c
}

// A usage is the size of a folder.
type usage struct {
	Key     string `json:"key"`
	Bytes   int64  `json:"bytes"`
	Objects int64  `json:"objects"`
}

func (p *program) du(ctx context.Context, f *duFlags, args []string) error {
	if f.depth < 0 {
		return invalid("--depth must not be negative", "")
	}
	w, err := newWalk(&f.filter, f.literal)
	if err != nil {
		return err
	}
	return each(ctx, p, args, func(text string) error {
		return p.eachRoot(ctx, text, w, func(r root) error { return p.duRoot(ctx, f, w, r) })
	})
}

// duRoot prints a folder after those below it. Keys are in order, so that a folder is complete
// when a key lies outside.
func (p *program) duRoot(ctx context.Context, f *duFlags, w *walk, r root) error {
	open := []usage{{Key: r.name()}} // each lies in the one before
	leave := func(key string) error {
		for len(open) > 1 && !strings.HasPrefix(key, open[len(open)-1].Key) {
			if err := p.printUsage(f, open[len(open)-1]); err != nil {
				return err
			}
			open = open[:len(open)-1]
		}
		return nil
	}
	for entry, err := range w.files(ctx, r) {
		if err == nil {
			err = leave(entry.Key)
		}
		if err != nil {
			return err
		}
		for r.entry.IsPrefix && len(open) <= f.depth {
			inner := open[len(open)-1].Key
			name, _, ok := strings.Cut(entry.Key[len(inner):], "/")
			if !ok {
				break
			}
			open = append(open, usage{Key: inner + name + "/"})
		}
		for i := range open {
			open[i].Bytes += entry.Size
			open[i].Objects++
		}
	}
	if err := leave(""); err != nil {
		return err
	}
	return p.printUsage(f, open[0])
}

func (p *program) printUsage(f *duFlags, u usage) error {
	name := u.Key
	if name == "" {
		name = "." // the whole bucket
	}
	switch {
	case p.global.json:
		return p.json(u)
	case f.human:
		p.printf("%10s  %10d  %s\n", formatSize(u.Bytes), u.Objects, p.printable(name))
	default:
		p.printf("%14d  %10d  %s\n", u.Bytes, u.Objects, p.printable(name))
	}
	return p.out.err
}
