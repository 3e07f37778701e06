// Package reading has the commands that only read: cat, du, find, hash, head, ls, stat and tree.
package reading

import (
	"context"
	"errors"
	"iter"
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

// Ls returns the command ls, which lists objects, folders, versions or buckets.
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

// ls lists what an argument names: buckets, versions, objects or a folder.
func ls(ctx context.Context, p *program.Program, f *lsFlags, text string) error {
	l, err := p.Stores.Locate(text)
	if err != nil {
		return err
	}
	if f.buckets && l.Kind == location.LocalPath {
		// The subdirectories of a directory are its buckets.
		l, err = l.InDirectory(l.Path, "")
		if err != nil {
			return err
		}
	}
	if f.buckets || l.Kind == location.Account {
		return lsBuckets(ctx, p, f, l)
	}

	// Anything else must be in a bucket. LocateExisting fails if it is not.
	l, err = p.Stores.LocateExisting(text)
	if err != nil {
		return err
	}
	if f.versions {
		l = program.WithVersions(l)
	}
	bucket, err := p.Stores.Open(ctx, l)
	if err != nil {
		return err
	}
	if f.versions {
		return lsVersions(ctx, p, f, bucket, l)
	}
	return lsObjects(ctx, p, f, bucket, l)
}

// lsObjects lists the object of a location or, if there is none, the folder of this name. For a
// location with wildcards, it lists what matches.
func lsObjects(ctx context.Context, p *program.Program, f *lsFlags, bucket storage.Bucket, l location.Location) error {
	// Without a filter, the listing refuses such a limit itself.
	if f.filter.Given() && f.limit != nil && f.limitCount < 1 {
		return argument.Invalid("--limit must be at least 1", "")
	}
	walk, err := program.NewWalk(&f.filter, f.literal)
	if err != nil {
		return err
	}
	if l.HasWildcard && !f.literal {
		return lsMatching(ctx, p, f, walk, bucket, l)
	}

	if !l.IsFolder() {
		// Without an object of this name, the location is that of a folder.
		attrs, err := bucket.Attrs(ctx, l.Key)
		if err == nil {
			return printEntry(p, f, program.EntryOf(attrs))
		}
		if !errors.Is(err, storage.ObjectNotFound) {
			return err
		}
	}

	return lsFolder(ctx, p, f, walk, bucket, l.Key)
}

// lsMatching lists the objects and folders that match wildcards. With -r, it lists the content of
// these folders.
func lsMatching(
	ctx context.Context, p *program.Program, f *lsFlags, walk *program.Walk, bucket storage.Bucket, l location.Location,
) error {
	if f.startAfter != "" {
		return argument.Invalid("--start-after must not be used with wildcards", "use --literal to take wildcards literally")
	}

	top, _ := location.SplitPattern(l.Glob())
	printed := 0
	hasMatch := false
	for match, err := range location.Expand(ctx, bucket, l) {
		if err != nil {
			return err
		}
		hasMatch = true
		for entry, err := range f.entriesOf(ctx, walk, program.Root{Bucket: bucket, Entry: match, Top: top}) {
			if err != nil {
				return err
			}
			if err := printEntry(p, f, entry); err != nil {
				return err
			}
			printed++
			if f.limit != nil && printed == f.limitCount {
				return nil
			}
		}
	}

	if !hasMatch {
		return location.NoMatch(l, "object or folder")
	}
	return nil
}

// entriesOf yields what is listed for a match of wildcards: an object, or a folder, or with -r the
// content of a folder. The filter of walk selects what is listed.
func (f *lsFlags) entriesOf(
	ctx context.Context, walk *program.Walk, match program.Root,
) iter.Seq2[storage.ListEntry, error] {
	if f.recursive || !match.Entry.IsPrefix {
		return walk.Files(ctx, match)
	}
	return func(yield func(storage.ListEntry, error) bool) {
		if program.SelectsBelow(walk.Filter, match.Top, match.Entry) {
			yield(match.Entry, nil)
		}
	}
}

// lsFolder lists a folder without its marker, an empty object that consoles and rclone create. A
// folder other than the bucket itself is missing if it has neither objects nor a marker.
func lsFolder(
	ctx context.Context, p *program.Program, f *lsFlags, walk *program.Walk, bucket storage.Lister, key string,
) error {
	folder := location.AsFolder(key)
	entries := bucket.List(ctx, f.folderOptions(folder)...)
	listsAll := f.recursive && f.startAfter == "" && f.limit == nil
	if listsAll {
		// ListBelow skips folders that this user may not read.
		entries = program.ListBelow(ctx, bucket, folder)
	}

	hasEntry := false
	printed := 0
	for entry, err := range entries {
		if err != nil {
			return err
		}
		hasEntry = true
		isMarker := !f.recursive && entry.Key == folder
		if isMarker || !program.SelectsBelow(walk.Filter, folder, entry) {
			continue
		}
		if err := printEntry(p, f, entry); err != nil {
			return err
		}
		printed++
		if f.limit != nil && printed == f.limitCount {
			break
		}
	}

	// With --start-after, a folder may exist although no key follows.
	if !hasEntry && key != "" && f.startAfter == "" {
		return location.NothingUnder(key)
	}
	return nil
}

// folderOptions returns the options for listing a folder.
func (f *lsFlags) folderOptions(folder string) []storage.ListOption {
	opts := []storage.ListOption{storage.WithPrefix(folder), storage.WithAnyOrder()}
	if !f.recursive {
		opts = append(opts, storage.WithDelimiter("/"))
	}
	if f.startAfter != "" {
		opts = append(opts, storage.WithStartAfter(f.startAfter))
	}
	if f.limit == nil || f.filter.Given() {
		// With a filter, lsFolder counts the entries.
		return opts
	}

	// Without -r, lsFolder leaves the marker of the folder out, so one more entry is needed. A limit below 1 stays,
	// because WithLimit refuses it.
	limit := f.limitCount
	isValid := limit > 0
	if !f.recursive && isValid && limit < math.MaxInt {
		limit++
	}
	return append(opts, storage.WithLimit(limit))
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

// printEntry prints one object or folder of a listing.
func printEntry(p *program.Program, f *lsFlags, e storage.ListEntry) error {
	switch {
	case f.json && e.IsPrefix:
		return p.Out.JSON(folderLine{Key: e.Key, IsPrefix: true})
	case f.json:
		return p.Out.JSON(EntryLine{
			Key:      e.Key,
			Size:     e.Size,
			Modified: e.Modified,
			ETag:     e.ETag,
			Revision: e.Revision,
		})
	case f.long && e.IsPrefix:
		p.Out.Printf("%12s  %-20s  %s\n", "-", "-", p.Out.Printable(e.Key))
	case f.long:
		p.Out.Printf("%12s  %-20s  %s\n", f.formatSize(e.Size), console.FormatTime(e.Modified), p.Out.Printable(e.Key))
	default:
		p.Out.Printf("%s\n", p.Out.Printable(e.Key))
	}
	return p.Out.Err
}

// formatSize returns a size as a number of bytes or, if the flags ask for it, in KiB, MiB and so on.
func (f *lsFlags) formatSize(n int64) string {
	if f.human {
		return console.FormatSize(n)
	}
	return strconv.FormatInt(n, 10)
}
