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

// du prints the sizes of folders below the locations of the arguments.
func du(ctx context.Context, p *program.Program, f *duFlags, args []string) error {
	hasBoth := f.summarize && f.depth > 0
	if f.depth < 0 || hasBoth {
		return argument.Invalid("--depth must not be negative, or positive beside --summarize", "")
	}
	if f.inventory != "" && len(args) > 1 {
		return argument.Invalid("--inventory must be used with one location", "")
	}
	walk, err := program.NewWalk(&f.filter, f.literal)
	if err != nil {
		return err
	}
	return program.Each(ctx, p, args, func(text string) error {
		return p.EachRoot(ctx, text, walk, func(r program.Root) error {
			bucket, err := p.Inventoried(ctx, f.inventory, r.Bucket)
			if err != nil {
				return err
			}
			r.Bucket = bucket
			return duRoot(ctx, p, f, walk, r)
		})
	})
}

// duRoot prints the size of each folder after those of its subfolders. If the store lists in order, it
// prints a folder when the first key after it comes, and otherwise all folders at the end.
func duRoot(ctx context.Context, p *program.Program, f *duFlags, walk *program.Walk, r program.Root) error {
	folders := newFolderUsages(r.Name(), f.depth)
	isOrdered := storage.Supports(r.Bucket, storage.OrderedListing)
	for entry, err := range walk.Files(ctx, r) {
		// This error comes after all other entries, and names the folders that could not be listed.
		_, isUnreadable := errors.AsType[program.Unreadable](err)
		if isUnreadable && folders.hasObjects() {
			return errors.Join(err, printUsages(p, f, folders.drainAll()))
		}
		if err != nil {
			return err
		}

		isFolderComplete := isOrdered && !strings.HasPrefix(entry.Key, folders.last)
		if isFolderComplete {
			if err := printUsages(p, f, folders.drainBefore(entry.Key)); err != nil {
				return err
			}
		}
		folders.add(entry)
	}
	return printUsages(p, f, folders.drainAll())
}

// folderUsages adds up the sizes of the folders below a root.
type folderUsages struct {
	root  string
	depth int // number of levels below the root whose folders are counted
	byKey map[string]usage
	last  string // deepest counted folder of the object that was added last
}

// newFolderUsages returns the usages of a root in which no object has been counted yet. It counts
// folders down to depth.
func newFolderUsages(root string, depth int) *folderUsages {
	return &folderUsages{
		root:  root,
		depth: depth,
		byKey: map[string]usage{root: {Key: root}},
		last:  root,
	}
}

func (u *folderUsages) hasObjects() bool { return u.byKey[u.root].Objects > 0 }

// add counts an object in the root, and in each folder that contains it and is at most u.depth levels
// below the root.
func (u *folderUsages) add(e storage.ListEntry) {
	folder := u.root
	for level := 0; ; level++ {
		sum := u.byKey[folder]
		u.byKey[folder] = usage{Key: folder, Bytes: sum.Bytes + e.Size, Objects: sum.Objects + 1}

		name, _, hasSubfolder := strings.Cut(e.Key[len(folder):], "/")
		if !hasSubfolder || level == u.depth {
			break
		}
		folder += name + "/"
	}
	u.last = folder
}

// drainBefore removes and returns the folders that do not contain a key. In an ordered listing, they
// are complete when that key comes.
func (u *folderUsages) drainBefore(key string) []usage {
	return u.drain(func(folder string) bool { return !strings.HasPrefix(key, folder) })
}

// drainAll removes and returns all folders.
func (u *folderUsages) drainAll() []usage {
	return u.drain(func(string) bool { return true })
}

// drain removes and returns the selected folders, each after its subfolders.
func (u *folderUsages) drain(isSelected func(folder string) bool) []usage {
	// The byte 0xFF, which no text in UTF-8 has, sorts a folder after everything in it.
	compare := func(a, b string) int { return strings.Compare(a+"\xff", b+"\xff") }

	var usages []usage
	for _, folder := range slices.SortedFunc(maps.Keys(u.byKey), compare) {
		if isSelected(folder) {
			usages = append(usages, u.byKey[folder])
			delete(u.byKey, folder)
		}
	}
	return usages
}

// printUsages prints the sizes of folders.
func printUsages(p *program.Program, f *duFlags, usages []usage) error {
	for _, u := range usages {
		if err := printUsage(p, f, u); err != nil {
			return err
		}
	}
	return nil
}

// printUsage prints the size of one folder.
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
