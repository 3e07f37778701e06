package reading

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// duFlags are the flags of du.
type duFlags struct {
	filter         program.FilterFlags
	literal, human bool
	depth          int
	summarize      bool
	inventory      string
}

// Du returns the command du.
func Du(p *program.Program) *cobra.Command {
	var f duFlags
	c := &cobra.Command{
		Use:   "du [flags] LOCATION...",
		Short: "Add up the sizes of objects",
		Long: `Prints the size in bytes and the number of the objects in each folder, and its name. With
--depth, prints the folders below it, too. Old versions are not counted.
` + program.WildcardHelp,
		Example: `  omnibucket du 's3://photos?region=eu-west-1'
  omnibucket du --human --depth 1 gs://photos/2026
  omnibucket du --older 365d 'photos:20*'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return du(c.Context(), p, &f, args) },
	}
	c.Flags().IntVar(&f.depth, "depth", 0, "also print folders of up to this `number` of levels below the location")
	c.Flags().BoolVarP(&f.summarize, "summarize", "s", false, "print only a total for each location, as without --depth")
	program.HumanFlag(c, &f.human, "print sizes in KiB, MiB and so on")
	program.InventoryFlag(c.Flags(), &f.inventory)
	program.LiteralFlag(c, &f.literal)
	f.filter.Register(c)
	return c
}

// A usage is the size of a folder.
type usage struct {
	Key     string `json:"key"`
	Bytes   int64  `json:"bytes"`
	Objects int64  `json:"objects"`
}

func du(ctx context.Context, p *program.Program, f *duFlags, args []string) error {
	if f.depth < 0 || f.summarize && f.depth > 0 {
		return argument.Invalid("--depth must not be negative, or positive beside --summarize", "")
	}
	if f.inventory != "" && len(args) > 1 {
		return argument.Invalid("--inventory must be used with one location", "")
	}
	w, err := program.NewWalk(&f.filter, f.literal)
	if err != nil {
		return err
	}
	return program.Each(ctx, p, args, func(text string) error {
		return p.EachRoot(ctx, text, w, func(r program.Root) (err error) {
			if r.Bucket, err = p.Inventoried(ctx, f.inventory, r.Bucket); err != nil {
				return err
			}
			return duRoot(ctx, p, f, w, r)
		})
	})
}

// duRoot prints the size of each folder after those of its subfolders. If the store lists in order,
// it prints a folder as soon as a key outside of the folder follows. Otherwise it prints all
// folders at the end.
func duRoot(ctx context.Context, p *program.Program, f *duFlags, w *program.Walk, r program.Root) error {
	folders := map[string]usage{}
	last := r.Name()
	folders[last] = usage{Key: last}

	printAll := func(complete func(folder string) bool) error {
		compare := func(a, b string) int { return strings.Compare(a+"\xff", b+"\xff") }
		for _, key := range slices.SortedFunc(maps.Keys(folders), compare) {
			if !complete(key) {
				continue
			}
			if err := printUsage(p, f, folders[key]); err != nil {
				return err
			}
			delete(folders, key)
		}
		return nil
	}

	ordered := storage.Supports(r.Bucket, storage.OrderedListing)
	for entry, err := range w.Files(ctx, r) {
		if err == nil && ordered && !strings.HasPrefix(entry.Key, last) {
			err = printAll(func(folder string) bool { return !strings.HasPrefix(entry.Key, folder) })
		}
		if _, ok := errors.AsType[program.Unreadable](err); ok && folders[r.Name()].Objects > 0 {
			return errors.Join(err, printAll(func(string) bool { return true }))
		}
		if err != nil {
			return err
		}

		last = r.Name()
		for level := 0; ; level++ {
			u := folders[last]
			folders[last] = usage{last, u.Bytes + entry.Size, u.Objects + 1}
			name, _, ok := strings.Cut(entry.Key[len(last):], "/")
			if !ok || level == f.depth {
				break
			}
			last += name + "/"
		}
	}
	return printAll(func(string) bool { return true })
}

func printUsage(p *program.Program, f *duFlags, u usage) error {
	name := u.Key
	if name == "" {
		// The root is the whole bucket.
		name = "."
	}
	switch {
	case p.Global.JSON:
		return p.Out.JSON(u)
	case f.human:
		p.Out.Printf("%10s  %10d  %s\n", console.FormatSize(u.Bytes), u.Objects, p.Out.Printable(name))
	default:
		p.Out.Printf("%14d  %10d  %s\n", u.Bytes, u.Objects, p.Out.Printable(name))
	}
	return p.Out.Err
}
