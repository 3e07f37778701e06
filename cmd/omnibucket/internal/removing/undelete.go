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

// Undelete returns the command undelete, which brings removed objects back.
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
			return undelete(c.Context(), p, &filter, literal, args[0])
		},
	}

	program.LiteralFlag(c, &literal)
	filter.Register(c)
	return c
}

// undelete makes the newest versions of removed objects current again, below the location text.
func undelete(
	ctx context.Context, p *program.Program, filter *program.FilterFlags, literal bool, text string,
) error {
	job := versionsJob{
		filter:      filter,
		literal:     literal,
		substitutes: storage.SoftDelete, // a bucket without versions may keep removed objects
		run: func(b storage.Bucket, opts []transfer.Option) (*transfer.Report, error) {
			return transfer.Undelete(ctx, b, opts...)
		},
	}
	return job.runOn(ctx, p, text)
}

// restoreFlags are the flags of restore.
type restoreFlags struct {
	filter  program.FilterFlags
	literal bool
	at      string
	remove  bool // --delete
	days    int
	tier    string
	version string
	isSet   func(flag string) bool
}

// check refuses combinations of flags that have no meaning.
func (f *restoreFlags) check() error {
	if f.isSet("at") == f.isSet("days") {
		return argument.Invalid("one of --at and --days must be set", "")
	}
	if f.isSet("days") && (f.remove || f.filter.Given()) {
		return argument.Invalid("--delete and flags that select files must be used with --at", "")
	}
	if f.isSet("at") && (f.isSet("tier") || f.isSet("version")) {
		return argument.Invalid("--tier and --version must be used with --days", "")
	}
	return nil
}

// Restore returns the command restore, which brings back old versions, or objects from an archive.
func Restore(p *program.Program) *cobra.Command {
	var f restoreFlags
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
			f.isSet = c.Flags().Changed
			if err := f.check(); err != nil {
				return err
			}
			if f.isSet("days") {
				return f.unarchive(c.Context(), p, args)
			}
			return f.restoreAt(c.Context(), p, args)
		},
	}

	flags := c.Flags()
	flags.StringVar(&f.at, "at", "", "restore the versions that were current at this `time`")
	flags.BoolVar(&f.remove, "delete", false, "with --at: remove objects that did not exist then; their versions stay")
	flags.IntVar(&f.days, "days", 0, "restore from an archive for this `number` of days")
	flags.StringVar(&f.tier, "tier", "", "with --days: how fast, as the provider calls it, such as Bulk")
	flags.StringVar(&f.version, "version", "", "with --days: restore this `version`")
	program.LiteralFlag(c, &f.literal)
	f.filter.Register(c)
	return c
}

// restoreAt makes those versions current again that were current at the time of --at.
func (f *restoreFlags) restoreAt(ctx context.Context, p *program.Program, args []string) error {
	if len(args) != 1 {
		return argument.Invalid("--at must be used with one location", "")
	}
	at, err := argument.ParseTime("--at", f.at, time.Now())
	if err != nil {
		return err
	}
	job := versionsJob{
		filter:  &f.filter,
		literal: f.literal,
		run: func(b storage.Bucket, opts []transfer.Option) (*transfer.Report, error) {
			return transfer.RestoreAt(ctx, b, at, opts...)
		},
	}
	if f.remove {
		job.opts = append(job.opts, transfer.WithDelete())
	}
	return job.runOn(ctx, p, args[0])
}

// unarchive requests the restoration of archived objects.
func (f *restoreFlags) unarchive(ctx context.Context, p *program.Program, args []string) error {
	opts := []storage.RestoreOption{storage.WithRestoreDays(f.days)}
	var attrsOpts []storage.AttrsOption
	if f.isSet("tier") {
		opts = append(opts, storage.WithRestoreTier(f.tier))
	}
	if f.isSet("version") {
		opts = append(opts, storage.WithVersion(f.version))
		attrsOpts = append(attrsOpts, storage.WithVersion(f.version))
	}

	restore := func(b storage.Bucket, l location.Location) error {
		if l.IsFolder() {
			return argument.Invalid("key must not be that of a folder", `use a wildcard, such as "**"`)
		}
		if err := program.IgnoreDryRun(storage.Restore(ctx, b, l.Key, opts...)); err != nil {
			return err
		}
		// A dry run also fails if the object does not exist.
		if p.Global.DryRun {
			if _, err := b.Attrs(ctx, l.Key, attrsOpts...); err != nil {
				return err
			}
		}
		p.Emit(program.Event{Event: "restoring", Key: l.Key}, "restoring "+p.Out.Printable(l.Key))
		return nil
	}
	return program.Each(ctx, p, args, func(text string) error {
		return p.EachMatch(ctx, text, f.literal, restore)
	})
}

// A versionsJob is a job on the versions of the objects that an argument names.
type versionsJob struct {
	filter  *program.FilterFlags
	literal bool
	// substitutes are features that the job can use in place of versions, such as soft delete.
	substitutes storage.Features  // 0 if there are none
	opts        []transfer.Option // for the job, after those of the filter
	run         func(b storage.Bucket, opts []transfer.Option) (*transfer.Report, error)
}

// runOn runs the job on the objects that text names. It fails if the bucket keeps neither versions
// nor what can stand in for them, or if there was no version to work on.
func (j *versionsJob) runOn(ctx context.Context, p *program.Program, text string) error {
	l, err := p.Stores.LocateExisting(text)
	if err != nil {
		return err
	}
	opts, err := j.filter.Options()
	if err != nil {
		return err
	}
	opts = append(opts, j.opts...)

	scope, err := newVersionScope(ctx, p, program.WithVersions(l), j.literal)
	if err != nil {
		return err
	}
	// In place of versions, some stores have another feature that the job can use, such as soft delete.
	hasSubstitute := j.substitutes != 0 && storage.Supports(scope.bucket, j.substitutes)
	if !hasSubstitute {
		if err := program.NeedVersions(scope.bucket); err != nil {
			return err
		}
	}

	// The job selects the objects that text names.
	opts = append(opts, transfer.WithPrefix(scope.start), transfer.WithKeys(scope.match))
	report, err := p.RunJob(func(progressOpts ...transfer.Option) (*transfer.Report, error) {
		return j.run(scope.bucket, append(progressOpts, opts...))
	})
	err = program.Multiline(err)
	if err == nil {
		// A job that found nothing to do has no error of its own.
		err = j.checkReport(ctx, p, scope, report)
	}
	p.Summarize(report, err)
	return err
}

// checkReport fails if a job changed nothing because it found no versions to work on. If the bucket keeps no versions at
// all, the error says so. Otherwise it says that the location names nothing.
func (j *versionsJob) checkReport(
	ctx context.Context, p *program.Program, scope *versionScope, report *transfer.Report,
) error {
	if report.Transferred+report.Deleted > 0 {
		return nil
	}

	if report.Skipped > 0 {
		if j.substitutes == 0 {
			// The objects are already as they were at that time.
			return nil
		}
		return scope.requireVersioning(ctx, p)
	}
	if scope.location.Key == "" {
		return scope.requireVersioning(ctx, p)
	}

	// The key may name nothing.
	err := scope.requireVersion(ctx)
	if err != nil && !errors.Is(err, storage.ObjectNotFound) {
		return err
	}
	// If the bucket keeps no versions, that explains more than a missing object.
	if versioningErr := scope.requireVersioning(ctx, p); versioningErr != nil {
		return versioningErr
	}
	return err
}

// A versionScope selects the versions of the objects that a location names.
type versionScope struct {
	location location.Location
	bucket   storage.Bucket // the folder of the location
	isWild   bool           // true if wildcards select the keys
	start    string         // beginning of all selected keys
	match    func(key string) bool
}

// newVersionScope returns the scope of a location. All of its objects may have been removed, so a request could not tell
// whether it names an object or a folder. The scope selects both.
func newVersionScope(
	ctx context.Context, p *program.Program, l location.Location, literal bool,
) (*versionScope, error) {
	scope := &versionScope{location: l, isWild: l.HasWildcard && !literal}

	// Open the folder that contains the selected keys. Without a pattern or a name, the whole folder is selected.
	folder := l.Key
	pattern := ""
	name := ""
	if scope.isWild {
		folder, pattern = location.SplitPattern(l.Glob())
	} else if !l.IsFolder() {
		folder, name = location.ParentOf(l.Key)
	}
	l.Key = folder
	l.HasWildcard = false
	l.Pattern = ""
	bucket, err := p.Stores.OpenFolder(ctx, l)
	if err != nil {
		return nil, err
	}
	scope.bucket = bucket

	if scope.isWild {
		scope.start, _ = location.LiteralStart(pattern)
		scope.match, err = location.Matcher(pattern, false)
		return scope, err
	}
	scope.start = name
	scope.match = func(key string) bool {
		isObject := key == name
		isInFolder := name == "" || location.HasFolder(key, name)
		return isObject || isInFolder
	}
	return scope, nil
}

// requireVersioning fails if the bucket certainly keeps no old versions. If it cannot find out, it returns nil.
//
// Most stores list current objects as versions even without versioning. So it looks at the settings of the
// bucket, or at the ids of some versions.
func (s *versionScope) requireVersioning(ctx context.Context, p *program.Program) error {
	// Google gives every object a version, even in a bucket without versioning. Only the settings
	// of the bucket show whether it keeps old versions.
	if s.location.Scheme == "gs" || !storage.Supports(s.bucket, storage.Versioning) {
		return s.requireSetting(ctx, p)
	}

	const sampleSize = 1000
	hasUnversioned := false
	for v, err := range storage.Versions(ctx, s.bucket, storage.WithLimit(sampleSize)) {
		if err != nil {
			// It is not known whether there are old versions.
			return nil
		}
		// On S3, the version is "null" only if the object was written without versioning.
		if v.Version != "null" {
			return nil
		}
		hasUnversioned = true
	}
	// Either all versions of the sample were written without versioning, or there are none. In an empty bucket, nothing
	// tells which.
	if hasUnversioned || program.HasAny(ctx, s.bucket, "") {
		return program.ErrNoVersions
	}
	return nil
}

// requireSetting fails if the settings of the bucket say that it keeps neither versions nor removed
// objects. If the settings cannot be read, it succeeds.
func (s *versionScope) requireSetting(ctx context.Context, p *program.Program) error {
	// Only the whole bucket has settings.
	l := s.location
	l.Key = ""
	l.Prefix = ""
	return p.Stores.UseService(ctx, l, func(service storage.Service, bucket string) error {
		info, err := service.BucketInfo(ctx, bucket)
		isKnown := err == nil
		if isKnown && !info.Versioning && info.SoftDelete == 0 {
			return program.ErrNoVersions
		}
		return nil
	})
}

// requireVersion fails with ObjectNotFound if no object or version is selected.
func (s *versionScope) requireVersion(ctx context.Context) error {
	for v, err := range storage.Versions(ctx, s.bucket, storage.WithPrefix(s.start)) {
		if err != nil {
			return err
		}
		if s.match(v.Key) {
			return nil
		}
	}
	if s.isWild {
		return location.NoMatch(s.location, "object")
	}
	return location.NothingUnder(s.location.Key)
}
