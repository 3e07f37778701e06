package copying

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/transfer"
)

// syncFlags are the flags of sync.
type syncFlags struct {
	remove, checksum, links, noSync    bool
	emptySource, sizeOnly, onlyMissing bool
	filter                             program.FilterFlags
	shard, shardBounds, journal        string
	resume, backup, inventory          string
	maxDelete                          int64
	limited, watch                     bool // limited is true if --max-delete was given
	verify                             bool
}

// Sync returns the command sync.
func Sync(p *program.Program) *cobra.Command {
	var f syncFlags
	c := &cobra.Command{
		Use:   "sync [flags] SOURCE DESTINATION",
		Short: "Make a directory or bucket like another",
		Long: `Copies files to the destination unless they are the same there. Source and
destination are directories of this machine or folders in buckets. Repeating the
command continues an interrupted sync. At the end, a summary is printed on standard
error.

Which files were the same is remembered in omnibucket/sync in $XDG_CACHE_HOME or in the
system's directory for caches, so that the next run asks the store only about files that
have changed. --verify asks about all.

Patterns are those of a .gitignore file. A pattern without a slash, or with one only at
its end, matches at any depth: '*.jpg', 'node_modules/'. Any other pattern matches from
the top: '2026/*.jpg', '/*.jpg'. ** matches any number of folders. A slash at the end
matches everything in a folder. Files that --exclude skips are not removed either.

With --watch, the command then waits for changes of the source, a directory, and syncs the folder with all
changes as soon as nothing has changed for a second, or after ten seconds. After a failure it tries again.

With --shard I/N, N commands with I from 0 to N-1 share the work, on several machines: each
does its part of the keys, and the reports add up. With --shard auto, or auto/N, a scheduler
gives the numbers: an array of Slurm or AWS Batch, a job of Cloud Run, or an indexed Job of
Kubernetes, which needs N. With --shard-bounds FILE, the parts are ranges of keys, and each command lists
only its range of a bucket: "omnibucket job split" writes FILE. With --journal FOLDER, a directory or a
folder in a bucket outside of source and destination, a repeated command continues after
the last file that was done, and its report includes what was done before. "omnibucket job
status FOLDER" shows the progress of all commands.

If the source has no files, --delete removes nothing and the exit code is 3, because a
misspelled name looks the same. To remove everything, use --empty-source. With --max-delete N,
it removes nothing if more than N files would be removed; by default there is no limit, and a
note says before the first removal that more than half of the destination goes. With
--backup-dir, files are copied to another location before they are replaced or removed.`,
		Example: `  omnibucket sync --delete ./public 'gs://site'
  omnibucket sync --dry-run --exclude '*.tmp' 's3://photos/2026?region=eu-west-1' ./2026
  omnibucket sync --resume ~/.cache/backup file:///srv/photos 'azblob://backup/photos?account=myaccount'`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			f.limited = c.Flags().Changed("max-delete")
			if (f.limited || f.emptySource) && !f.remove {
				return argument.Invalid("--max-delete and --empty-source must be used with --delete", "")
			}
			return sync(c.Context(), p, &f, args[0], args[1])
		},
	}
	flags := c.Flags()
	flags.BoolVar(&f.remove, "delete", false, "remove files from the destination that the source does not have")
	flags.BoolVar(&f.emptySource, "empty-source", false, "with --delete: remove everything if the source is empty")
	flags.Int64Var(&f.maxDelete, "max-delete", 0,
		"with --delete: remove nothing if more than this `number` of files would be removed (default: no limit)")
	flags.StringVar(&f.backup, "backup-dir", "", "copy files to this `location` before they are replaced or removed")
	flags.BoolVar(&f.checksum, "checksum", false, "compare checksums instead of times")
	flags.BoolVar(&f.verify, "verify", false, "compare all files, also those that an earlier run has found to be the same")
	flags.BoolVar(&f.sizeOnly, "size-only", false, "take files of equal size for the same")
	flags.BoolVar(&f.onlyMissing, "ignore-existing", false, ignoreExistingUsage)
	flags.StringVar(
		&f.shard, "shard", "",
		"do only part `I/N` of all keys, with I from 0 to N-1; auto or auto/N asks the scheduler",
	)
	flags.StringVar(
		&f.shardBounds, "shard-bounds", "",
		"make shards ranges of keys with the bounds in this `file` of \"omnibucket job split\", which may lie in a bucket",
	)
	flags.StringVar(
		&f.journal, "journal", "",
		"keep the progress in this `folder`, to continue there after an interruption",
	)
	program.InventoryFlag(flags, &f.inventory)
	f.filter.Register(c)
	flags.StringVar(&f.resume, "resume", "", "keep the state of large uploads in this `directory`, to resume them")
	flags.BoolVar(&f.links, "links", false, "follow symbolic links that stay in the source directory")
	flags.BoolVar(&f.noSync, "no-sync", false, noSyncUsage)
	flags.BoolVar(&f.watch, "watch", false, "continue with each change of the source, a directory, until interrupted")
	return c
}

// syncOptions converts the flags of sync to options of transfer.Sync, except for the flags that newMigration reads.
func syncOptions(p *program.Program, f *syncFlags) ([]transfer.Option, error) {
	opts, err := f.filter.Options()
	if err != nil {
		return nil, err
	}

	if f.emptySource {
		opts = append(opts, transfer.WithEmptySource())
	}
	if f.checksum {
		opts = append(opts, transfer.WithChecksum())
	}
	if f.links {
		opts = append(opts, transfer.WithLinks())
	}
	if f.noSync {
		opts = append(opts, transfer.WithNoSync())
	}
	if f.sizeOnly {
		opts = append(opts, transfer.WithSizeOnly())
	}
	if f.onlyMissing {
		opts = append(opts, transfer.WithMissingOnly())
	}

	// An empty value, as from --resume "$UNSET", is an error.
	if f.filter.Flags.Changed("resume") {
		l, err := p.Stores.Locate(f.resume)
		if err != nil {
			return nil, err
		}
		if l.Kind != location.LocalPath {
			return nil, argument.Invalid("--resume must be a directory of this machine", location.PathHint)
		}
		opts = append(opts, transfer.WithResume(f.resume))
	}

	if f.remove {
		announce := func(files, compared int64) error {
			announceRemoval(p, files, compared)
			return nil
		}
		opts = append(opts, transfer.WithDelete(), transfer.WithBeforeDelete(announce))
	}
	if f.limited {
		opts = append(opts, transfer.WithMaxDelete(f.maxDelete))
	}
	return opts, nil
}

// announceRemoval prints a warning if a sync will remove more than half of the destination's files, because the source
// may be misspelled. files is the number to remove, and compared the number of all files that were compared.
func announceRemoval(p *program.Program, files, compared int64) {
	if files <= compared/2 {
		return
	}
	action := "removing"
	if p.Global.DryRun {
		action = "would remove"
	}
	p.Note("omnibucket: %s %d of the %d files of the destination, which the source does not have", action, files, compared)
}

// sync makes a destination equal to a source, once or, with --watch, after each change of the source until ctx is done.
func sync(ctx context.Context, p *program.Program, f *syncFlags, source, destination string) error {
	src, dst, err := syncEnds(ctx, p, f, source, destination)
	if err != nil {
		return err
	}

	opts, err := syncOptions(p, f)
	if err != nil {
		return err
	}
	job, err := newMigration(ctx, p, f, src, dst)
	if err != nil {
		return err
	}
	placeOpts, err := placeOptions(ctx, p, f, src)
	if err != nil {
		return err
	}
	opts = slices.Concat(opts, job.opts, placeOpts)

	// Each call of run syncs once. A watch adds an option for the folder that has changed.
	run := func(extra ...transfer.Option) (*transfer.Report, error) {
		report, err := syncTrees(ctx, p, dst, src, append(slices.Clone(opts), extra...))
		p.Summarize(report, err)
		return report, err
	}

	if f.watch {
		w, err := newWatch(f, src, opts)
		if err != nil {
			return err
		}
		return w.run(ctx, p, run)
	}

	report, err := run()
	return errors.Join(err, job.recordEnd(ctx, report, err))
}

// placeOptions returns the options for the other places that a sync uses: the backup, the inventory of the source, and
// the cache.
func placeOptions(
	ctx context.Context, p *program.Program, f *syncFlags, src location.Location,
) ([]transfer.Option, error) {
	var opts []transfer.Option
	// An empty value, as from --backup-dir "$UNSET", is an error, because sync must not run without the backup.
	if f.filter.Flags.Changed("backup-dir") {
		backup, err := locateEnd(ctx, p, f.backup)
		if err != nil {
			return nil, err
		}
		opts = append(opts, transfer.WithBackup(backup))
	}

	inventoryOpts, err := inventoryOptions(ctx, p, f.inventory, src)
	if err != nil {
		return nil, err
	}
	opts = append(opts, inventoryOpts...)

	// With --verify, nothing is taken from the cache. With --watch, one folder is synced at a time, and each would have
	// a file in the cache.
	usesCache := !f.verify && !f.watch
	if usesCache {
		opts = append(opts, cacheOptions(p)...)
	}
	return opts, nil
}

// locateEnd returns the end of a job that an argument names.
func locateEnd(ctx context.Context, p *program.Program, text string) (transfer.End, error) {
	l, err := p.Stores.Locate(text)
	if err != nil {
		return transfer.End{}, err
	}
	return jobEnd(ctx, p, l)
}

// cacheOptions returns the option with which a sync remembers which files were the same, or none if the system has no
// directory for caches.
func cacheOptions(p *program.Program) []transfer.Option {
	dir, err := p.CacheDir("sync")
	if err != nil {
		return nil
	}
	return []transfer.Option{transfer.WithCache(dir)}
}

// inventoryOptions returns the option that lists src from an inventory, or none if inventory is "".
func inventoryOptions(
	ctx context.Context, p *program.Program, inventory string, src location.Location,
) ([]transfer.Option, error) {
	if inventory == "" {
		return nil, nil
	}

	if src.Kind != location.InBucket {
		return nil, argument.Invalid("--inventory must be used with a bucket as the source", "")
	}

	bucket, err := p.Stores.OpenFolder(ctx, src)
	if err != nil {
		return nil, err
	}
	return p.Stores.InventoryOption(ctx, inventory, bucket)
}

const emptySourceHint = "check the source, or use --empty-source to delete everything"

// syncEnds parses the source and the destination. Without --empty-source, it refuses a source folder that has no
// objects, because a folder that is misspelled would make --delete remove everything.
func syncEnds(
	ctx context.Context, p *program.Program, f *syncFlags, source, destination string,
) (src, dst location.Location, err error) {
	if src, err = p.Stores.Locate(source); err != nil {
		return src, dst, err
	}
	if dst, err = p.Stores.Locate(destination); err != nil {
		return src, dst, err
	}

	if src.Kind != location.InBucket || f.emptySource {
		return src, dst, nil
	}
	return src, dst, checkFolder(ctx, p, f, src)
}

// checkFolder refuses a source that is a folder of a bucket without objects, because it is probably misspelled, or
// written with wildcards, which sync does not expand.
func checkFolder(ctx context.Context, p *program.Program, f *syncFlags, src location.Location) error {
	isWholeBucket := src.Key == "" && src.Prefix == ""
	if isWholeBucket {
		return nil
	}
	// The configuration has the folder of a named location, so it is not misspelled. With --delete, however, an empty
	// source would remove the whole destination.
	isConfigured := src.Key == ""
	if isConfigured && !f.remove {
		return nil
	}

	exists, err := hasObjects(ctx, p, src)
	if err != nil {
		return err
	}
	if exists {
		return nil
	}

	if f.remove {
		return &storage.Error{
			Code: storage.ObjectNotFound,
			Op:   "Sync",
			Key:  src.Prefix + src.Key,
			Err:  errors.New("nothing was deleted, because the source has no files"),
			Hint: emptySourceHint,
		}
	}
	return &storage.Error{
		Code: storage.ObjectNotFound,
		Op:   "Sync",
		Key:  location.AsFolder(src.Key),
		Err:  errors.New("the source has no files"),
		Hint: "check the folder; to copy one object, use cp",
	}
}
