package removing

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/transfer"
)

// Undelete returns the command undelete.
func Undelete(p *program.Program) *cobra.Command {
	var filter program.FilterFlags
	var literal bool
	c := &cobra.Command{
		Use:   "undelete [flags] LOCATION",
		Short: "Bring removed objects back, in a bucket that keeps versions or has soft delete",
		Long: `Makes the newest version of each removed object current again: of the object with this
key, or of all objects in the folder, or that match wildcards. If the store has delete
markers, as S3, it removes them; otherwise it copies the version. An object without versions
is restored if the store keeps it for a time, as Google and Azure do (soft delete). With -v
and --json, prints what it did with each object; with --dry-run, prints what would come back.
` + program.WildcardHelp,
		Example: `  omnibucket undelete 's3://photos/2026/a.jpg?region=eu-west-1'
  omnibucket undelete --dry-run gs://photos/2026/
  omnibucket undelete --include '*.jpg' photos:`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return runOnVersions(
				c.Context(), p, args[0], &filter, literal, storage.SoftDelete, nil,
				func(b storage.Bucket, opts []transfer.Option) (*transfer.Report, error) {
					return transfer.Undelete(c.Context(), b, opts...)
				},
			)
		},
	}

	program.LiteralFlag(c, &literal)
	filter.Register(c)
	return c
}

// Restore returns the command restore.
func Restore(p *program.Program) *cobra.Command {
	var filter program.FilterFlags
	var literal, remove bool
	var at, tier, version string
	var days int
	c := &cobra.Command{
		Use:   "restore --at TIME [flags] LOCATION | restore --days N [flags] LOCATION...",
		Short: "Bring back old versions, or objects from an archive",
		Long: `With --at, makes the versions that were current at a time current again, in a bucket that
keeps versions: of the object with this key, or of all objects in the folder, or that match
wildcards. Objects that did not exist at that time stay, unless --delete is set. TIME is a
time such as 2026-11-21T08:00:00Z, or a duration such as 7d for that long ago. To repeat the
command after a failure, use a time and not a duration.

With --days, starts to bring objects back from an archive class for this number of days;
stat shows when they can be read.
` + program.WildcardHelp,
		Example: `  omnibucket restore --at 2026-11-20T18:00:00Z --dry-run 's3://photos/2026/?region=eu-west-1'
  omnibucket restore --at 2026-11-20 --delete photos:2026/
  omnibucket restore --days 7 's3://archive/2019.tar?region=eu-west-1'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			isSet := c.Flags().Changed
			if isSet("at") == isSet("days") {
				return argument.Invalid("one of --at and --days must be set", "")
			}
			if isSet("days") && (remove || filter.Given()) {
				return argument.Invalid("--delete and flags that select files must be used with --at", "")
			}
			if isSet("at") && (isSet("tier") || isSet("version")) {
				return argument.Invalid("--tier and --version must be used with --days", "")
			}
			if isSet("days") {
				opts := []storage.RestoreOption{storage.WithRestoreDays(days)}
				var attrs []storage.AttrsOption
				if isSet("tier") {
					opts = append(opts, storage.WithRestoreTier(tier))
				}
				if isSet("version") {
					opts = append(opts, storage.WithVersion(version))
					attrs = append(attrs, storage.WithVersion(version))
				}
				return unarchive(c.Context(), p, args, literal, opts, attrs)
			}
			if len(args) != 1 {
				return argument.Invalid("--at must be used with one location", "")
			}
			t, err := argument.ParseTime("--at", at, time.Now())
			if err != nil {
				return err
			}
			var own []transfer.Option
			if remove {
				own = append(own, transfer.WithDelete())
			}
			return runOnVersions(
				c.Context(), p, args[0], &filter, literal, 0, own,
				func(b storage.Bucket, opts []transfer.Option) (*transfer.Report, error) {
					return transfer.RestoreAt(c.Context(), b, t, opts...)
				},
			)
		},
	}
	flags := c.Flags()
	flags.StringVar(&at, "at", "", "restore the versions that were current at this `time`")
	flags.BoolVar(&remove, "delete", false, "with --at: remove objects that did not exist then; their versions stay")
	flags.IntVar(&days, "days", 0, "restore from an archive for this `number` of days")
	flags.StringVar(&tier, "tier", "", "with --days: how fast, as the provider calls it, such as Bulk")
	flags.StringVar(&version, "version", "", "with --days: restore this `version`")
	program.LiteralFlag(c, &literal)
	filter.Register(c)
	return c
}

// runOnVersions runs a job on the versions of the objects that an argument names. Some jobs can use other
// features in place of versions, such as soft delete. The caller passes these features to runOnVersions.
// If the bucket has neither versions nor these features, runOnVersions fails.
func runOnVersions(
	ctx context.Context, p *program.Program, text string, f *program.FilterFlags, literal bool,
	substitutes storage.Features,
	jobOpts []transfer.Option, job func(b storage.Bucket, opts []transfer.Option) (*transfer.Report, error),
) error {
	l, err := p.Stores.LocateExisting(text)
	if err != nil {
		return err
	}

	l = program.WithVersions(l)
	opts, err := f.Options()
	if err != nil {
		return err
	}

	scope, start, match, err := versionScope(ctx, p, l, literal)
	if err == nil && (substitutes == 0 || !storage.Supports(scope, substitutes)) {
		err = program.NeedVersions(scope)
	}
	if err != nil {
		return err
	}

	opts = append(append(opts, jobOpts...), transfer.WithPrefix(start), transfer.WithKeys(match))
	report, err := p.RunJob(func(progressOpts ...transfer.Option) (*transfer.Report, error) {
		return job(scope, append(progressOpts, opts...))
	})
	err = program.InLines(err)

	if err == nil && report.Transferred+report.Deleted == 0 && (substitutes != 0 || report.Skipped == 0) {
		if report.Skipped == 0 && l.Key != "" {
			err = requireVersion(ctx, p, scope, l, l.HasWildcard && !literal, start, match)
		}
		if err == nil || errors.Is(err, storage.ObjectNotFound) {
			if keepErr := mustKeepVersions(ctx, p, l, scope); keepErr != nil {
				err = keepErr
			}
		}
	}

	p.Summarize(report, err)
	return err
}

// mustKeepVersions fails if it is certain that a bucket keeps no old versions. A listing of
// versions does not show this, because most stores list current objects as versions even without
// versioning. So mustKeepVersions looks at the settings of the bucket, or at the ids of versions.
func mustKeepVersions(ctx context.Context, p *program.Program, l location.Location, scope storage.Bucket) error {
	// Google gives every object a version, even in a bucket without versioning. Only the settings
	// of the bucket show whether it keeps old versions.
	if l.Scheme == "gs" || !storage.Supports(scope, storage.Versioning) {
		l.Key = ""
		l.Prefix = ""
		return p.Stores.UseService(ctx, l, func(s storage.Service, bucket string) error {
			if info, err := s.BucketInfo(ctx, bucket); err == nil && !info.Versioning && info.SoftDelete == 0 {
				return program.ErrNoVersions
			}
			return nil // not known
		})
	}
	hasUnversioned := false
	for v, err := range storage.Versions(ctx, scope, storage.WithLimit(1000)) {
		// On S3, the version is "null" only if the object was written without versioning.
		if err != nil || v.Version != "null" {
			return nil
		}
		hasUnversioned = true
	}
	if hasUnversioned || program.HasAny(ctx, scope, "") {
		return program.ErrNoVersions
	}
	return nil
}

// requireVersion fails with ObjectNotFound if no object or version matches a location.
func requireVersion(
	ctx context.Context, p *program.Program, scope storage.Bucket, l location.Location, wild bool, start string,
	match func(key string) bool,
) error {
	for v, err := range storage.Versions(ctx, scope, storage.WithPrefix(start)) {
		if err != nil || match(v.Key) {
			return err
		}
	}
	if wild {
		return location.NoMatch(l, "object")
	}
	return location.NothingUnder(l.Key)
}

// versionScope returns the bucket of a location's folder. The results start and match select the
// keys of the location: each of these keys begins with start, and match returns true for the key.
// versionScope does not check whether objects exist, because all objects may have been removed.
func versionScope(
	ctx context.Context, p *program.Program, l location.Location, literal bool,
) (bucket storage.Bucket, start string, match func(key string) bool, err error) {
	folder := l.Key
	rest := ""
	wild := l.HasWildcard && !literal
	if wild {
		folder, rest = location.SplitPattern(l.Glob())
	} else if !l.IsFolder() {
		folder, rest = location.ParentOf(l.Key)
	}
	loc := l
	loc.Key = folder
	loc.HasWildcard = false
	loc.Pattern = ""
	if bucket, err = p.Stores.OpenFolder(ctx, loc); err != nil {
		return nil, "", nil, err
	}
	if wild {
		start, _ = location.LiteralStart(rest)
		match, err = location.Matcher(rest, false)
		return bucket, start, match, err
	}
	return bucket, rest, func(key string) bool { return rest == "" || key == rest || location.HasFolder(key, rest) }, nil
}

// unarchive requests the restoration of archived objects. attrs are options for reading the
// objects' attributes.
func unarchive(
	ctx context.Context, p *program.Program, args []string, literal bool, opts []storage.RestoreOption,
	attrs []storage.AttrsOption,
) error {
	return program.Each(ctx, p, args, func(text string) error {
		return p.EachMatch(ctx, text, literal, func(b storage.Bucket, l location.Location) error {
			if l.IsFolder() {
				return argument.Invalid("key must not be that of a folder", `use a wildcard, such as "**"`)
			}
			err := program.OfDryRun(storage.Restore(ctx, b, l.Key, opts...))
			if err == nil && p.Global.DryRun {
				_, err = b.Attrs(ctx, l.Key, attrs...)
			}
			if err != nil {
				return err
			}
			p.Emit(program.Event{Event: "restoring", Key: l.Key}, "restoring "+p.Out.Printable(l.Key))
			return nil
		})
	})
}
