package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
)

// lsFlags are the flags of ls.
type lsFlags struct {
	recursive, long   bool
	json              bool // that of all commands
	versions, buckets bool
	literal           bool
	filter            filterFlags
	human             bool
	startAfter        string
	limit             []storage.ListOption // or nil
	limitCount        int                  // 0 for no limit
}

func (p *program) lsCommand() *cobra.Command {
	var f lsFlags
	c := &cobra.Command{
		Use:   "ls [flags] ADDRESS...",
		Short: "List objects, folders, versions or buckets",
		Long: `Lists the object with exactly this key or, if there is none, the content of the
folder of this name, one level deep. Folders end in "/".
` + wildcardHelp,
		Example: `  omnibucket ls 's3://photos/2026/?region=eu-west-1'
  omnibucket ls -r -l file:///srv/files
  omnibucket ls -r --json --limit 100 gs://photos
  omnibucket ls --buckets 's3://?region=eu-west-1'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("limit") {
				f.limit = []storage.ListOption{storage.WithLimit(f.limitCount)}
			}
			f.json = p.global.json
			return each(c.Context(), p, args, func(text string) error { return p.ls(c.Context(), &f, text) })
		},
	}
	flags := c.Flags()
	flags.BoolVarP(&f.recursive, "recursive", "r", false, "list everything under the address, not only one level")
	flags.BoolVarP(&f.long, "long", "l", false, "print size, time and key")
	humanFlag(c, &f.human, "with -l: print sizes in KiB, MiB and so on")
	flags.IntVar(&f.limitCount, "limit", 0, "list at most this `number` for each address")
	flags.StringVar(&f.startAfter, "start-after", "", "list only keys after this `key`")
	flags.BoolVar(&f.versions, "versions", false, "list all versions of the objects under the address, newest first")
	literalFlag(c, &f.literal)
	f.filter.register(c)
	flags.BoolVar(&f.buckets, "buckets", false, "list the buckets of an account, such as s3://?region=… or file:///parent")
	return c
}

func (p *program) ls(ctx context.Context, f *lsFlags, text string) error {
	l, err := p.locate(text)
	if err != nil {
		return err
	}
	if f.buckets && l.kind == localPath {
		if l, err = l.inDirectory(l.path, ""); err != nil {
			return err
		}
	}
	if f.buckets || l.kind == account {
		return p.lsBuckets(ctx, f, l)
	}
	if l, err = p.locateInBucket(text); err != nil {
		return err
	}
	if f.versions {
		l = withVersions(l)
	}
	bucket, err := p.open(ctx, l)
	switch {
	case err != nil:
		return err
	case f.versions && f.startAfter != "":
		return invalid("--start-after must not be used with --versions", "")
	case f.versions && (f.filter.given() || l.hasWildcard && !f.literal):
		return invalid("--versions must not be used with wildcards, or with flags that select files", "")
	case f.versions:
		if err := needVersions(bucket); err != nil {
			return err
		}
		return p.lsVersions(ctx, f, bucket, l.key)
	case f.filter.given() && f.limit != nil && f.limitCount < 1:
		return invalid("--limit must be at least 1", "")
	}
	w, err := newWalk(&f.filter, f.literal)
	if err != nil {
		return err
	}
	if l.hasWildcard && !f.literal {
		return p.lsMatching(ctx, f, w, bucket, l)
	}
	if !l.isFolder() {
		attrs, err := bucket.Attrs(ctx, l.key)
		if err == nil {
			return p.printEntry(f, storage.ListEntry{Key: attrs.Key, Size: attrs.Size, ETag: attrs.ETag, Revision: attrs.Revision, Modified: attrs.Modified})
		}
		if !errors.Is(err, storage.ObjectNotFound) {
			return err
		}
	}
	return p.lsFolder(ctx, f, w, bucket, l.key)
}

// lsMatching lists what matches wildcards and, with -r, the content of the folders.
func (p *program) lsMatching(ctx context.Context, f *lsFlags, w *walk, bucket storage.Bucket, l location) error {
	if f.startAfter != "" {
		return invalid("--start-after must not be used with wildcards", "use --literal to take wildcards literally")
	}
	top, _ := splitPattern(l.glob())
	printed, found := 0, false
	for match, err := range expand(ctx, bucket, l) {
		if err != nil {
			return err
		}
		found = true
		listed := func(yield func(storage.ListEntry, error) bool) { yield(match, nil) }
		switch {
		case f.recursive || !match.IsPrefix:
			listed = w.files(ctx, root{bucket, match, top})
		case !selectsBelow(w.filter, top, match):
			continue
		}
		for entry, err := range listed {
			if err == nil {
				err = p.printEntry(f, entry)
			}
			if err != nil {
				return err
			}
			if printed++; printed == f.limitCount {
				return nil
			}
		}
	}
	if !found {
		return errNoMatch(l, "object or folder")
	}
	return nil
}

// lsFolder lists a folder. An empty folder does not exist, unless it is the whole
// bucket.
func (p *program) lsFolder(ctx context.Context, f *lsFlags, w *walk, bucket storage.Lister, key string) error {
	opts := []storage.ListOption{storage.WithPrefix(asFolder(key))}
	if !f.filter.given() {
		opts = append(opts, f.limit...)
	}
	if !f.recursive {
		opts = append(opts, storage.WithDelimiter("/"))
	}
	if f.startAfter != "" {
		opts = append(opts, storage.WithStartAfter(f.startAfter))
	}
	found, printed := false, 0
	for entry, err := range bucket.List(ctx, opts...) {
		if err != nil {
			return err
		}
		found = true
		if !selectsBelow(w.filter, asFolder(key), entry) {
			continue
		}
		if err := p.printEntry(f, entry); err != nil {
			return err
		}
		if printed++; printed == f.limitCount {
			break
		}
	}
	if !found && key != "" && f.startAfter == "" {
		return errNothingUnder(key)
	}
	return nil
}

func errNothingUnder(key string) error {
	return &storage.Error{Code: storage.ObjectNotFound, Op: "List", Key: key, Hint: "check the key; there is no folder of this name either"}
}

// An entryLine is a ListEntry in JSON.
type entryLine struct {
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

func (p *program) printEntry(f *lsFlags, e storage.ListEntry) error {
	switch {
	case f.json && e.IsPrefix:
		return p.json(folderLine{e.Key, true})
	case f.json:
		return p.json(entryLine{e.Key, e.Size, e.Modified, e.ETag, e.Revision})
	case f.long && e.IsPrefix:
		p.printf("%12s  %-20s  %s\n", "-", "-", p.printable(e.Key))
	case f.long:
		p.printf("%12s  %-20s  %s\n", f.size(e.Size), formatTime(e.Modified), p.printable(e.Key))
	default:
		p.printf("%s\n", p.printable(e.Key))
	}
	return p.out.err
}

// size returns a size as the flags say.
func (f *lsFlags) size(n int64) string {
	if f.human {
		return formatSize(n)
	}
	return strconv.FormatInt(n, 10)
}

// formatTime returns a time in the format of all commands, or "-" if the store has
// none.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}
