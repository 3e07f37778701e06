package main

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
)

func (p *program) undeleteCommand() *cobra.Command {
	var filter filterFlags
	var literal bool
	c := &cobra.Command{
		Use:   "undelete [flags] ADDRESS",
		Short: "Bring removed objects back, in a bucket that keeps versions",
		Long: `Makes the newest version of each removed object current again: of the object with this
key, or of all objects in the folder, or that match wildcards. If the store has delete
markers, as S3, it removes them; otherwise it copies the version. With -v, prints the
objects; with --dry-run, prints them and changes nothing.
` + wildcardHelp,
		Example: `  omnibucket undelete 's3://photos/2026/a.jpg?region=eu-west-1'
  omnibucket undelete --dry-run gs://photos/2026/
  omnibucket undelete --include '*.jpg' photos:`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.revert(c.Context(), args[0], &filter, literal, nil, func(b storage.Bucket, opts []transfer.Option) (*transfer.Report, error) {
				return transfer.Undelete(c.Context(), b, opts...)
			})
		},
	}
	literalFlag(c, &literal)
	filter.register(c)
	return c
}

func (p *program) restoreCommand() *cobra.Command {
	var filter filterFlags
	var literal, remove bool
	var at, tier, version string
	var days int
	c := &cobra.Command{
		Use:   "restore --at TIME [flags] ADDRESS | restore --days N [flags] ADDRESS...",
		Short: "Bring back old versions, or objects from an archive",
		Long: `With --at, makes the versions that were current at a time current again, in a bucket that
keeps versions: of the object with this key, or of all objects in the folder, or that match
wildcards. Objects that did not exist at that time stay, unless --delete is set. TIME is a
time such as 2026-11-21T08:00:00Z, or a duration such as 7d for that long ago. To repeat the
command after a failure, use a time and not a duration.

With --days, starts to bring objects back from an archive class for this number of days;
stat shows when they can be read.
` + wildcardHelp,
		Example: `  omnibucket restore --at 2026-11-20T18:00:00Z --dry-run 's3://photos/2026/?region=eu-west-1'
  omnibucket restore --at 2026-11-20 --delete photos:2026/
  omnibucket restore --days 7 's3://archive/2019.tar?region=eu-west-1'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			given := c.Flags().Changed
			switch {
			case given("at") == given("days"):
				return invalid("one of --at and --days must be set", "")
			case given("days") && (remove || filter.given()):
				return invalid("--delete and flags that select files must be used with --at", "")
			case given("at") && (given("tier") || given("version")):
				return invalid("--tier and --version must be used with --days", "")
			case given("days"):
				opts, attrs := []storage.RestoreOption{storage.WithRestoreDays(days)}, []storage.AttrsOption(nil)
				if given("tier") {
					opts = append(opts, storage.WithRestoreTier(tier))
				}
				if given("version") {
					opts, attrs = append(opts, storage.WithVersion(version)), append(attrs, storage.WithVersion(version))
				}
				return p.unarchive(c.Context(), args, literal, opts, attrs)
			case len(args) != 1:
				return invalid("--at must be used with one address", "")
			}
			then, err := parseTime("--at", at, time.Now())
			if err != nil {
				return err
			}
			var own []transfer.Option
			if remove {
				own = append(own, transfer.WithDelete())
			}
			return p.revert(c.Context(), args[0], &filter, literal, own, func(b storage.Bucket, opts []transfer.Option) (*transfer.Report, error) {
				return transfer.RestoreAt(c.Context(), b, then, opts...)
			})
		},
	}
	flags := c.Flags()
	flags.StringVar(&at, "at", "", "restore the versions that were current at this `time`")
	flags.BoolVar(&remove, "delete", false, "with --at: remove objects that did not exist then; their versions stay")
	flags.IntVar(&days, "days", 0, "restore from an archive for this `number` of days")
	flags.StringVar(&tier, "tier", "", "with --days: how fast, as the provider calls it, such as Bulk")
	flags.StringVar(&version, "version", "", "with --days: restore this `version`")
	literalFlag(c, &literal)
	filter.register(c)
	return c
}

// revert runs a job on the versions of the objects that an argument names.
func (p *program) revert(ctx context.Context, text string, f *filterFlags, literal bool, own []transfer.Option, job func(b storage.Bucket, opts []transfer.Option) (*transfer.Report, error)) error {
	l, err := p.locateInBucket(text)
	if err != nil {
		return err
	}
	l = withVersions(l)
	opts, err := f.options()
	if err != nil {
		return err
	}
	scope, start, match, err := p.versionScope(ctx, l, literal)
	if err == nil {
		err = needVersions(scope)
	}
	if err != nil {
		return err
	}
	opts = append(append(opts, own...), transfer.WithPrefix(start), transfer.WithKeys(match))
	report, err := p.runJob(func(more ...transfer.Option) (*transfer.Report, error) { return job(scope, append(more, opts...)) })
	err = inLines(err)
	p.summarize(report, err)
	if err != nil || !isEmpty(report) {
		return err
	}
	if l.key != "" {
		err = p.anyVersion(ctx, scope, l, l.hasWildcard && !literal, start, match)
	}
	if err == nil || errors.Is(err, storage.ObjectNotFound) {
		err = cmp.Or(p.mustKeepVersions(ctx, l, scope), err)
	}
	return err
}

// mustKeepVersions fails if a bucket is known to keep no old versions. Without a setting of their
// own, most stores list the current objects as the only versions.
func (p *program) mustKeepVersions(ctx context.Context, l location, scope storage.Bucket) error {
	if l.scheme == "gs" { // which has a version of any object
		l.key, l.prefix = "", ""
		return p.useService(ctx, l, func(s storage.Service, bucket string) error {
			if info, err := s.BucketInfo(ctx, bucket); err == nil && !info.Versioning {
				return errNoVersions
			}
			return nil // it is not known
		})
	}
	none := false
	for v, err := range storage.Versions(ctx, scope, storage.WithLimit(1000)) {
		if err != nil || v.Version != "null" { // as S3 calls that of an object without versions
			return nil
		}
		none = true
	}
	if none || hasAny(ctx, scope, "") {
		return errNoVersions
	}
	return nil
}

// anyVersion fails if a location names no object that exists or has versions.
func (p *program) anyVersion(ctx context.Context, scope storage.Bucket, l location, wild bool, start string, match func(key string) bool) error {
	for v, err := range storage.Versions(ctx, scope, storage.WithPrefix(start)) {
		if err != nil || match(v.Key) {
			return err
		}
	}
	if wild {
		return errNoMatch(l, "object")
	}
	return errNothingUnder(l.key)
}

// needVersions refuses a bucket that keeps no versions.
func needVersions(bucket storage.Bucket) error {
	if storage.Supports(bucket, storage.Versioning) {
		return nil
	}
	return errNoVersions
}

var errNoVersions = &storage.Error{
	Code: storage.Unsupported, Err: errors.New("the bucket keeps no old versions"),
	Hint: `to keep them from now on, use "omnibucket bucket --versioning on"`,
}

// withVersions returns a location whose bucket is opened with its versions.
func withVersions(l location) location {
	if l.scheme == "mem" || l.scheme == "file" { // they know whether they keep versions
		return l
	}
	for _, pair := range splitQuery(l.query) {
		if pair == "versions=true" {
			return l
		}
	}
	if l.query != "" {
		l.query += "&"
	}
	l.query += "versions=true"
	return l
}

// versionScope returns the folder of a location, and which keys in it the location names, with
// the text at their start. The objects may all be removed, so that nothing is looked up.
func (p *program) versionScope(ctx context.Context, l location, literal bool) (bucket storage.Bucket, start string, match func(key string) bool, err error) {
	folder, rest := l.key, ""
	wild := l.hasWildcard && !literal
	switch {
	case wild:
		folder, rest = splitPattern(l.glob())
	case !l.isFolder():
		folder, rest = parentOf(l.key)
	}
	at := l
	at.key, at.hasWildcard, at.pattern = folder, false, ""
	if bucket, err = p.openFolder(ctx, at); err != nil {
		return nil, "", nil, err
	}
	if wild {
		start, _ = literalStart(rest)
		match, err = matcher(rest, false)
		return bucket, start, match, err
	}
	return bucket, rest, func(key string) bool { return rest == "" || key == rest || hasFolder(key, rest) }, nil
}

// unarchive starts to restore objects from an archive. attrs are the options of their attributes.
func (p *program) unarchive(ctx context.Context, args []string, literal bool, opts []storage.RestoreOption, attrs []storage.AttrsOption) error {
	return each(ctx, p, args, func(text string) error {
		return p.eachMatch(ctx, text, literal, func(b storage.Bucket, l location) error {
			if l.isFolder() {
				return invalid("key must not be that of a folder", `use a wildcard, such as "**"`)
			}
			err := ofDryRun(storage.Restore(ctx, b, l.key, opts...))
			if err == nil && p.global.dryRun {
				_, err = b.Attrs(ctx, l.key, attrs...)
			}
			if err != nil {
				return err
			}
			p.emit(event{Event: "restoring", Key: l.key}, "restoring "+p.printable(l.key))
			return nil
		})
	})
}
