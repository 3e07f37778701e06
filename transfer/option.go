package transfer

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/serving"
)

// maxConcurrency is more than the number of connections that any machine has.
const maxConcurrency = 10_000

// An Option is an option of every job. A job ignores options that do not apply to it.
// The options are [WithConcurrency], [WithPrefix], [WithInclude], [WithExclude], [WithKeys],
// [WithMinSize], [WithMaxSize], [WithModifiedAfter], [WithModifiedBefore], [WithShard], [WithShardBounds],
// [WithLinks], [WithChecksum], [WithSizeOnly], [WithMissingOnly], [WithDelete], [WithEmptySource], [WithMaxDelete],
// [WithBeforeDelete], [WithBackup], [WithMove], [WithNoSync], [WithDryRun], [WithRule], [WithLocks], [WithResume],
// [WithJournal], [WithInventory], [WithProgress], [WithChanges] and [WithNow].
type Option interface{ apply(*settings) }

type settings struct {
	err          error
	concurrency  int
	prefix       string
	include      []string
	exclude      []string
	links        bool
	checksum     bool
	remove       bool
	emptySource  bool
	dryRun       bool
	rule         func(key string) []storage.WriteOption
	locks        bool
	progress     func(Progress)
	changes      func(Change)
	resume       string
	now          func() time.Time
	noSync       bool
	maxDelete    *int64                      // nil if not given
	beforeDelete func(files, of int64) error // nil if not given
	backup       End                         // zero if not given
	only         func(key string) bool
	sizeOnly     bool
	missingOnly  bool
	move         bool
	journal      *journal
	// the selection by size, time and shard
	minSize, maxSize              int64
	hasMaxSize                    bool
	modifiedAfter, modifiedBefore time.Time
	shard, shards                 uint64
	inventory                     *Inventory // nil if not given
	bounds                        []string   // keys at which the ranges of the shards begin
	bounded                       bool       // WithShardBounds was given
	ranges                        *keyRange  // the shard, if it is a range of keys; otherwise nil

	anyName  bool     // also files that the patterns leave out, unless their directory is excluded
	ofLayers bool     // also the objects of layers, which a job leaves out
	held     []string // the keys of leases under which the job runs, which it leaves out
}

// leaveOutHeld leaves out the leases under which the job runs, if they lie in its ends.
func (s *settings) leaveOutHeld(ctx context.Context, locations ...any) {
	for _, in := range locations {
		s.held = append(s.held, serving.HeldIn(ctx, in)...)
	}
}

type option func(*settings)

func (o option) apply(s *settings) { o(s) }

// checked returns an option that sets something, or lets the job fail if its argument does not meet the rule.
func checked(meets bool, argument, rule string, set option) Option {
	return option(func(s *settings) {
		if !meets {
			s.fail(argument, rule)
			return
		}
		set(s)
	})
}

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
		s.err = invalid(argument, rule)
	}
}

func invalid(argument, rule string) *storage.Error {
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New(argument + " " + rule)}
}

// WithConcurrency sets the maximum number of parallel requests, for files and for
// parts of large files together. Without it a job begins with 16, and doubles the number
// up to 128 as long as more requests move more. A copy between buckets that passes through
// this machine counts as one. If n is below 1, the job fails with InvalidArgument. If n is
// above 10,000, it counts as 10,000.
func WithConcurrency(n int) Option {
	return checked(
		n >= 1, "WithConcurrency", "must be at least 1", func(s *settings) { s.concurrency = min(n, maxConcurrency) },
	)
}

// WithInclude selects only keys that match one of the patterns, or a pattern of
// another WithInclude. The package documentation describes patterns. If a pattern is
// malformed, the job fails with InvalidArgument.
func WithInclude(patterns ...string) Option {
	return option(func(s *settings) { s.include = s.patterns("WithInclude", s.include, patterns) })
}

// WithExclude skips keys that match one of the patterns, and everything in a
// directory that matches one, even if [WithInclude] selects it. [WithDelete] does not
// remove them from the destination. An excluded directory is not read. The package
// documentation describes patterns. If a pattern is malformed, the job fails with
// InvalidArgument.
func WithExclude(patterns ...string) Option {
	return option(func(s *settings) { s.exclude = s.patterns("WithExclude", s.exclude, patterns) })
}

func (s *settings) patterns(argument string, known, more []string) []string {
	known = known[:len(known):len(known)]
	for _, p := range more {
		if p == "" || p == "/" || !doublestar.ValidatePattern(p) {
			s.fail(argument, "must not have the malformed pattern "+strconv.Quote(p))
		}
		known = append(known, normalizePattern(p))
	}
	return known
}

// WithLinks follows symbolic links in a source directory if they lead to a file or
// directory in it. If several links lead to the same file, it is transferred under
// each name. Without this option, links are skipped.
//
// A link counts as failed if it is absolute, or leads outside the directory, to
// nothing, or to a directory that contains it. It fails even if [WithInclude] does
// not select its name, because it may be a directory. So does the fourth link to a
// directory in one path, because directories that link to each other make infinite
// paths.
func WithLinks() Option { return option(func(s *settings) { s.links = true }) }

// WithChecksum compares only the CRC32C of files of equal size. To get it, the job reads files,
// and objects whose store keeps no CRC32C.
func WithChecksum() Option { return option(func(s *settings) { s.checksum = true }) }

// WithSizeOnly takes files of equal size for the same, whatever their time and content are.
// Together with [WithChecksum], the job fails with InvalidArgument.
func WithSizeOnly() Option { return option(func(s *settings) { s.sizeOnly = true }) }

// WithMissingOnly transfers only files that the destination does not have, and skips others,
// whatever their size, time and content are. With [WithMove] the source of a skipped file stays.
// A file that appears at the destination after the listing of its folder may be replaced.
func WithMissingOnly() Option { return option(func(s *settings) { s.missingOnly = true }) }

// WithDelete removes files from the destination that the source does not have, at the
// end of the job. If a listing failed or ctx is done, it removes nothing. Files that
// may lie below a link that could not be followed stay, too, and so do those that a
// directory has again by then.
//
// If the source has no file and the destination has files to remove, the job removes
// nothing and fails with ObjectNotFound: a misspelled prefix and a volume that is not
// mounted are empty, too. To remove the files, use [WithEmptySource].
func WithDelete() Option { return option(func(s *settings) { s.remove = true }) }

// WithEmptySource lets [WithDelete] remove everything from the destination if the
// source has no file.
func WithEmptySource() Option { return option(func(s *settings) { s.emptySource = true }) }

// WithNoSync does not wait until written files are on the disk. A job of many small
// files is faster with it, but a power failure may leave files empty, including
// replaced ones. Without it, each file is on the disk before it gets its name, and
// all names are on the disk before the job ends. After a power failure, each file is
// then the complete old or new one.
func WithNoSync() Option { return option(func(s *settings) { s.noSync = true }) }

// WithDryRun compares, counts and reports changes without making them. It predicts only the
// failures that names show: keys, and the files of a destination directory.
func WithDryRun() Option { return option(func(s *settings) { s.dryRun = true }) }

// WithRule sets the attributes of written objects by key: content type,
// cache-control, metadata, tags, and attributes of a provider. Other attributes are those
// of [storage.Uploader] and [storage.Copy]. An object that is the same is skipped, even
// if its attributes differ. rule may be called by several goroutines at the same
// time.
func WithRule(rule func(key string) []storage.WriteOption) Option {
	return option(func(s *settings) { s.rule = rule })
}

// WithLocks gives each object that is copied between buckets the retention and the legal hold
// of its source. Without it, copies are not locked, except by a default of their bucket. A
// retention that has ended is left out; the options of [WithRule] take precedence. If the
// destination cannot lock objects, an object with a lock fails with Unsupported. An object that is
// the same is skipped, even if its locks differ.
func WithLocks() Option { return option(func(s *settings) { s.locks = true }) }

// WithProgress reports progress, at most ten times a second and once at the end.
// Calls of report do not overlap.
func WithProgress(report func(Progress)) Option {
	return option(func(s *settings) { s.progress = report })
}

// WithChanges reports each file that was transferred, was deleted, or failed, or that
// would be with [WithDryRun]. Files are reported in the order in which they end.
// Calls of report do not overlap, and the job waits for them.
func WithChanges(report func(Change)) Option {
	return option(func(s *settings) { s.changes = report })
}

// WithNow sets the clock that decides what [Expire] removes, which uploads
// [WithResume] abandons, and which times are in the future. The default is
// [time.Now].
func WithNow(now func() time.Time) Option {
	return checked(now != nil, "WithNow", "must not be nil", func(s *settings) { s.now = now })
}
