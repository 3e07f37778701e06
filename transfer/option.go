package transfer

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/transfer/internal/cache"
	"github.com/omnibucket/storage/transfer/internal/copier"
	"github.com/omnibucket/storage/transfer/internal/joberror"
	"github.com/omnibucket/storage/transfer/internal/journal"
	"github.com/omnibucket/storage/transfer/internal/selection"
)

// maxConcurrency is the largest number of parallel requests. No machine has so many connections.
const maxConcurrency = 10_000

// An Option is an option of every job. A job ignores options that do not apply to it.
//
//   - Files: [WithPrefix], [WithInclude], [WithExclude], [WithKeys], [WithMinSize], [WithMaxSize],
//     [WithModifiedAfter], [WithModifiedBefore], [WithShard], [WithShardBounds], [WithLinks] and
//     [WithInventory].
//   - Comparison: [WithChecksum], [WithSizeOnly], [WithMissingOnly] and [WithCache].
//   - Removal: [WithDelete], [WithEmptySource], [WithMaxDelete], [WithBeforeDelete], [WithBackup]
//     and [WithMove].
//   - Continuation: [WithResume] and [WithJournal].
//   - Written files: [WithRule], [WithLocks], [WithNoSync] and [WithDryRun].
//   - The job itself: [WithConcurrency], [WithProgress], [WithChanges] and [WithNow].
type Option interface{ apply(*settings) }

type settings struct {
	err          error
	concurrency  int
	files        selection.Selection
	links        bool
	checksum     bool
	remove       bool
	emptySource  bool
	dryRun       bool
	rule         func(key string) []storage.WriteOption
	locks        bool
	progress     func(Progress)
	changes      func(Change)
	resume       copier.ResumeDir
	cacheDir     string
	now          func() time.Time
	nowGiven     bool // whether WithNow has set now
	noSync       bool
	maxDelete    *int64                      // nil if not given
	beforeDelete func(files, of int64) error // nil if not given
	backup       End                         // zero if not given
	sizeOnly     bool
	missingOnly  bool
	move         bool
	journal      *journal.Journal
	cache        *cache.Cache // nil if the job has none
	inventory    *Inventory   // nil if not given
}

// leaveOutLeases makes the job leave out the lease objects that its caller holds in the given locations.
func (s *settings) leaveOutLeases(ctx context.Context, locations ...any) {
	for _, input := range locations {
		s.files.LeaseKeys = append(s.files.LeaseKeys, serving.HeldIn(ctx, input)...)
	}
}

// copierSettings returns the settings that change how a file is compared and transferred.
func (s *settings) copierSettings() *copier.Settings {
	return &copier.Settings{
		Rule:   s.rule,
		Locks:  s.locks,
		Resume: s.resume,
		Cache:  s.cache,
		Now:    s.now,
		DryRun: s.dryRun,
	}
}

type option func(*settings)

func (o option) apply(s *settings) { o(s) }

// checked returns an option that calls set if the argument is valid. Otherwise the option makes the job
// fail with InvalidArgument, and the error names the argument and the rule that it breaks.
func checked(valid bool, argument, rule string, set option) Option {
	return option(func(s *settings) {
		if !valid {
			s.fail(argument, rule)
			return
		}
		set(s)
	})
}

// readOptions applies the options in their order. If one is invalid, the settings hold the error in
// err.
func readOptions(opts []Option) *settings {
	s := &settings{now: time.Now}
	for _, o := range opts {
		if o == nil {
			s.fail("option", "must not be nil")
			continue
		}
		o.apply(s)
	}
	s.checkBounds()
	return s
}

func (s *settings) fail(argument, rule string) {
	if s.err == nil {
		s.err = joberror.Invalid(argument, rule)
	}
}

// WithConcurrency sets the maximum number of parallel requests of the job, including requests for
// parts of large files. By default a job begins with 16, and doubles the number up to 128 as long
// as more requests transfer more bytes. A copy between buckets that passes through this machine
// counts as one request. If n is below 1, the job fails with InvalidArgument. If n is above 10,000,
// it counts as 10,000.
func WithConcurrency(n int) Option {
	return checked(n >= 1, "WithConcurrency", "must be at least 1", func(s *settings) {
		s.concurrency = min(n, maxConcurrency)
	})
}

// WithInclude selects only keys that match one of the patterns, or a pattern of
// another WithInclude. The package documentation describes patterns. If a pattern is
// malformed, the job fails with InvalidArgument.
func WithInclude(patterns ...string) Option {
	return option(func(s *settings) {
		s.files.Include = s.patterns("WithInclude", s.files.Include, patterns)
	})
}

// WithExclude skips keys that match one of the patterns. If a pattern matches a directory, it skips
// everything in that directory and does not read it. WithExclude takes precedence over
// [WithInclude]. [WithDelete] does not remove skipped keys from the destination. The package
// documentation describes patterns. If a pattern is malformed, the job fails with InvalidArgument.
func WithExclude(patterns ...string) Option {
	return option(func(s *settings) {
		s.files.Exclude = s.patterns("WithExclude", s.files.Exclude, patterns)
	})
}

// patterns returns names with further patterns, without changing names. The job fails if a pattern is
// malformed; the error names the option.
func (s *settings) patterns(option string, names, extra []string) []string {
	names = slices.Clip(names) // so that append copies it
	for _, p := range extra {
		pattern, ok := selection.ParsePattern(p)
		if !ok {
			s.fail(option, "must not have the malformed pattern "+strconv.Quote(p))
		}
		names = append(names, pattern)
	}
	return names
}

// WithLinks follows symbolic links in a source directory if they lead to a file or directory inside
// that directory. If several links lead to the same file, the file is transferred under the name of
// each link. Without this option, links are skipped.
//
// A link counts as failed if it is absolute, or if it leads outside the directory. It also counts
// as failed if it leads to nothing, or to a directory that contains the link. Such a link counts as
// failed even if [WithInclude] does not select its name, because the link may stand for a
// directory.
//
// A path may contain at most three links to directories. The fourth link in a path counts as
// failed. Otherwise, directories that link to each other would make very many paths.
func WithLinks() Option {
	return option(func(s *settings) {
		s.links = true
	})
}

// WithChecksum compares only the CRC32C of files of equal size, and not their times. To compute it,
// the job reads files, and also objects whose store keeps no CRC32C.
func WithChecksum() Option {
	return option(func(s *settings) {
		s.checksum = true
	})
}

// WithSizeOnly treats files of equal size as the same, whatever their time and content are. If it
// is combined with [WithChecksum], the job fails with InvalidArgument.
func WithSizeOnly() Option {
	return option(func(s *settings) {
		s.sizeOnly = true
	})
}

// WithMissingOnly transfers only files that the destination does not have. It skips all others,
// whatever their size, time and content are. With [WithMove], a skipped file stays at the source. A
// file that appears at the destination after its folder was listed may be replaced.
func WithMissingOnly() Option {
	return option(func(s *settings) {
		s.missingOnly = true
	})
}

// WithDelete removes files from the destination that the source does not have. It removes them at
// the end of the job. If a listing failed or ctx is done, it removes nothing. A file stays if it
// may lie below a link that could not be followed. If the source is a directory, a file also stays
// if the source has the file again at the end of the job.
//
// If the source has no file, but the destination has files to remove, the job removes nothing and
// fails with ObjectNotFound. A misspelled prefix, or a volume that is not mounted, also looks
// empty. To remove the files, use [WithEmptySource].
func WithDelete() Option {
	return option(func(s *settings) {
		s.remove = true
	})
}

// WithEmptySource lets [WithDelete] remove everything from the destination if the
// source has no file.
func WithEmptySource() Option {
	return option(func(s *settings) {
		s.emptySource = true
	})
}

// WithNoSync does not wait until written files are on the disk. A job with many small files is then
// faster, but a power failure may leave files empty, including files that were replaced. Without
// this option, the content of each file is on the disk before the file gets its name, and all names
// are on the disk before the job ends. After a power failure, each file is then the complete old or
// new one.
func WithNoSync() Option {
	return option(func(s *settings) {
		s.noSync = true
	})
}

// WithDryRun compares, counts and reports changes without making them. It predicts only those
// failures that can be seen from the keys, or from the existing files in a destination directory.
func WithDryRun() Option {
	return option(func(s *settings) {
		s.dryRun = true
	})
}

// WithRule sets the attributes of written objects by key: content type, cache-control, metadata,
// tags, and attributes of a provider. For other attributes, the defaults of [storage.Uploader] and
// [storage.Copy] apply. An object that is the same at both ends is skipped, even if its attributes
// differ. rule may be called by several goroutines at the same time.
func WithRule(rule func(key string) []storage.WriteOption) Option {
	return option(func(s *settings) {
		s.rule = rule
	})
}

// WithLocks gives each object that is copied between buckets the retention and the legal hold of
// its source. By default, copies have only the locks that their bucket sets itself. A retention
// that has ended is left out. The options of [WithRule] take precedence. An object that has a lock
// fails with Unsupported if the destination cannot lock objects. An object that is the same at both
// ends is skipped, even if its locks differ.
func WithLocks() Option {
	return option(func(s *settings) {
		s.locks = true
	})
}

// WithProgress reports progress, at most ten times a second and once at the end.
// Calls of report do not overlap.
func WithProgress(report func(Progress)) Option {
	return option(func(s *settings) {
		s.progress = report
	})
}

// WithChanges makes the job call the function report for each file that was transferred or deleted,
// or that failed. With [WithDryRun], the job reports what would happen. Files are reported in the
// order in which they end. The calls of report do not overlap, and the job waits for each call.
func WithChanges(report func(Change)) Option {
	return option(func(s *settings) {
		s.changes = report
	})
}

// WithNow sets the clock that decides what [Expire] removes, which uploads [WithResume] abandons, and
// which times are in the future. The default is the clock of the store for Expire, and otherwise
// [time.Now].
func WithNow(now func() time.Time) Option {
	return checked(now != nil, "WithNow", "must not be nil", func(s *settings) {
		s.now = now
		s.nowGiven = true
	})
}
