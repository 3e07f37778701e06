// Package reading has the commands that only read: cat, du, find, hash, head, ls, stat and tree.
package reading

import (
	"context"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// lsFlags are the flags of ls.
type lsFlags struct {
	recursive, long   bool
	json              bool // the global flag --json
	versions, buckets bool
	literal           bool
	filter            program.FilterFlags
	human             bool
	startAfter        string
	limit             []storage.ListOption // nil if there is no limit
	limitCount        int                  // 0 if there is no limit
}

// Ls returns the command ls.
func Ls(p *program.Program) *cobra.Command {
	var f lsFlags
	c := &cobra.Command{
		Use:   "ls [flags] LOCATION...",
		Short: "List objects, folders, versions or buckets",
		Long: `Lists the object with exactly this key or, if there is none, the content of the
folder of this name, one level deep. Folders end in "/". With -r, so do the empty
objects that consoles and other tools store for folders.
` + program.WildcardHelp,
		Example: `  omnibucket ls 's3://photos/2026/?region=eu-west-1'
  omnibucket ls -r -l file:///srv/files
  omnibucket ls -r --json --limit 100 gs://photos
  omnibucket ls --buckets 's3://?region=eu-west-1'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("limit") {
				f.limit = []storage.ListOption{storage.WithLimit(f.limitCount)}
			}
			f.json = p.Global.JSON
			return program.Each(c.Context(), p, args, func(text string) error { return ls(c.Context(), p, &f, text) })
		},
	}

	flags := c.Flags()
	flags.BoolVarP(&f.recursive, "recursive", "r", false, "list everything under the location, not only one level")
	flags.BoolVarP(&f.long, "long", "l", false, "print size, time and key")
	program.HumanFlag(c, &f.human, "with -l: print sizes in KiB, MiB and so on")
	flags.IntVar(&f.limitCount, "limit", 0, "list at most this `number` for each location")
	flags.StringVar(&f.startAfter, "start-after", "", "list only keys after this `key`")
	flags.BoolVar(&f.versions, "versions", false, "list all versions of the objects under the location, newest first")
	program.LiteralFlag(c, &f.literal)
	f.filter.Register(c)
	flags.BoolVar(
		&f.buckets, "buckets", false,
		"list the buckets of an account, such as s3://?region=… or file:///parent",
	)
	return c
}

func ls(ctx context.Context, p *program.Program, f *lsFlags, text string) error {
	l, err := p.Stores.Locate(text)
	if err != nil {
		return err
	}

	if f.buckets && l.Kind == location.LocalPath {
		if l, err = l.InDirectory(l.Path, ""); err != nil {
			return err
		}
	}
	if f.buckets || l.Kind == location.Account {
		return lsBuckets(ctx, p, f, l)
	}

	if l, err = p.Stores.LocateExisting(text); err != nil {
		return err
	}
	if f.versions {
		l = program.WithVersions(l)
	}

	bucket, err := p.Stores.Open(ctx, l)
	if err != nil {
		return err
	}

	if f.versions && f.startAfter != "" {
		return argument.Invalid("--start-after must not be used with --versions", "")
	}
	if f.versions && (f.filter.Given() || l.HasWildcard && !f.literal) {
		return argument.Invalid("--versions must not be used with wildcards, or with flags that select files", "")
	}

	if f.versions {
		if err := program.NeedVersions(bucket); err != nil {
			return err
		}
		return lsVersions(ctx, p, f, bucket, l.Key)
	}

	if f.filter.Given() && f.limit != nil && f.limitCount < 1 {
		return argument.Invalid("--limit must be at least 1", "")
	}

	w, err := program.NewWalk(&f.filter, f.literal)
	if err != nil {
		return err
	}
	if l.HasWildcard && !f.literal {
		return lsMatching(ctx, p, f, w, bucket, l)
	}

	if !l.IsFolder() {
		attrs, err := bucket.Attrs(ctx, l.Key)
		if err == nil {
			return printEntry(p, f, program.EntryOf(attrs))
		}
		if !errors.Is(err, storage.ObjectNotFound) {
			return err
		}
	}

	return lsFolder(ctx, p, f, w, bucket, l.Key)
}

// lsMatching lists the objects and folders that match wildcards. With -r, it lists the content of
// these folders.
func lsMatching(
	ctx context.Context, p *program.Program, f *lsFlags, w *program.Walk, bucket storage.Bucket, l location.Location,
) error {
	if f.startAfter != "" {
		return argument.Invalid("--start-after must not be used with wildcards", "use --literal to take wildcards literally")
	}

	top, _ := location.SplitPattern(l.Glob())
	printed := 0
	ok := false
	for match, err := range location.Expand(ctx, bucket, l) {
		if err != nil {
			return err
		}
		ok = true
		listed := func(yield func(storage.ListEntry, error) bool) { yield(match, nil) }
		if f.recursive || !match.IsPrefix {
			listed = w.Files(ctx, program.Root{Bucket: bucket, Entry: match, Top: top})
		} else if !program.SelectsBelow(w.Filter, top, match) {
			continue
		}
		for entry, err := range listed {
			if err == nil {
				err = printEntry(p, f, entry)
			}
			if err != nil {
				return err
			}
			printed++
			if printed == f.limitCount {
				return nil
			}
		}
	}

	if !ok {
		return location.NoMatch(l, "object or folder")
	}
	return nil
}

// lsFolder lists a folder. It leaves out the folder's marker, an empty object that consoles and
// rclone create. A folder without objects counts as missing unless it has a marker or is the whole
// bucket.
func lsFolder(
	ctx context.Context, p *program.Program, f *lsFlags, w *program.Walk, bucket storage.Lister, key string,
) error {
	folder := location.AsFolder(key)
	opts := []storage.ListOption{storage.WithPrefix(folder), storage.WithAnyOrder()}
	if !f.recursive {
		opts = append(opts, storage.WithDelimiter("/"))
	}
	if f.limit != nil && !f.filter.Given() {
		limit := f.limitCount
		if !f.recursive && limit > 0 && limit < math.MaxInt {
			// The marker of the folder is left out, so one more entry is needed.
			limit++
		}
		opts = append(opts, storage.WithLimit(limit))
	}

	if f.startAfter != "" {
		opts = append(opts, storage.WithStartAfter(f.startAfter))
	}

	listed := bucket.List(ctx, opts...)
	if f.recursive && f.startAfter == "" && f.limit == nil {
		listed = program.ListBelow(ctx, bucket, folder)
	}

	ok := false
	printed := 0
	for entry, err := range listed {
		if err != nil {
			return err
		}
		ok = true
		if !f.recursive && entry.Key == folder || !program.SelectsBelow(w.Filter, folder, entry) {
			continue
		}
		if err := printEntry(p, f, entry); err != nil {
			return err
		}
		printed++
		if printed == f.limitCount {
			break
		}
	}

	if !ok && key != "" && f.startAfter == "" {
		return location.NothingUnder(key)
	}
	return nil
}

// An EntryLine is a ListEntry in JSON.
type EntryLine struct {
	Key      string    `json:"key"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified,omitzero"`
	ETag     string    `json:"etag,omitempty"`
	Revision string    `json:"revision,omitempty"`
}

// A folderLine is a common prefix in JSON.
type folderLine struct {
	Key      string `json:"key"`
	IsPrefix bool   `json:"isPrefix"`
}

func printEntry(p *program.Program, f *lsFlags, e storage.ListEntry) error {
	switch {
	case f.json && e.IsPrefix:
		return p.Out.JSON(folderLine{e.Key, true})
	case f.json:
		return p.Out.JSON(EntryLine{e.Key, e.Size, e.Modified, e.ETag, e.Revision})
	case f.long && e.IsPrefix:
		p.Out.Printf("%12s  %-20s  %s\n", "-", "-", p.Out.Printable(e.Key))
	case f.long:
		p.Out.Printf("%12s  %-20s  %s\n", f.size(e.Size), console.FormatTime(e.Modified), p.Out.Printable(e.Key))
	default:
		p.Out.Printf("%s\n", p.Out.Printable(e.Key))
	}
	return p.Out.Err
}

// size returns a size in the form that the flags ask for.
func (f *lsFlags) size(n int64) string {
	if f.human {
		return console.FormatSize(n)
	}
	return strconv.FormatInt(n, 10)
}
