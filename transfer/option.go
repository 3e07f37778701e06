package transfer

import (
	"errors"
	"strconv"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/omnibucket/storage"
)

// defaultConcurrency is how many requests are under way at once: a request for a
// small object takes tens of milliseconds, in which a connection and this
// machine wait; more than this brings little there and costs connections.
const defaultConcurrency = 32

// maxConcurrency is more than any machine has connections for.
const maxConcurrency = 10_000

// An Option fits every job; what a job has no use for it passes over.
type Option interface{ apply(*settings) }

type settings struct {
	err         error
	concurrency int
	include     []string
	exclude     []string
	links       bool
	checksum    bool
	remove      bool
	emptySource bool
	dryRun      bool
	rule        func(key string) []storage.WriteOption
	progress    func(Progress)
	changes     func(Change)
	resume      string
	now         func() time.Time
	noSync      bool
}

type option func(*settings)

func (o option) apply(s *settings) { o(s) }

func readOptions(opts []Option) *settings {
	s := &settings{concurrency: defaultConcurrency, now: time.Now}
	for _, o := range opts {
		if o == nil {
			s.fail("option", "must not be nil")
			continue
		}
		o.apply(s)
	}
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

// WithConcurrency sets how many requests may be under way at once, those for
// files and those for the parts of large ones counted together: by default 32. A
// copy between buckets that passes through this machine counts once. Below 1 it
// is InvalidArgument; above 10,000 it counts as 10,000.
func WithConcurrency(n int) Option {
	return option(func(s *settings) {
		if n < 1 {
			s.fail("WithConcurrency", "must be at least 1")
		}
		s.concurrency = min(n, maxConcurrency)
	})
}

// WithInclude takes only keys that match one of the patterns, or one of another
// WithInclude. The package documentation describes patterns. A malformed pattern is
// InvalidArgument.
func WithInclude(patterns ...string) Option {
	return option(func(s *settings) { s.include = s.patterns("WithInclude", s.include, patterns) })
}

// WithExclude leaves out keys that match one of the patterns, even if WithInclude takes
// them, and everything in a directory that matches one. WithDelete does not remove them
// from the destination. A directory that is left out is not read. The package
// documentation describes patterns. A malformed pattern is InvalidArgument.
func WithExclude(patterns ...string) Option {
	return option(func(s *settings) { s.exclude = s.patterns("WithExclude", s.exclude, patterns) })
}

func (s *settings) patterns(argument string, known, more []string) []string {
	known = known[:len(known):len(known)]
	for _, p := range more {
		if p == "" || p == "/" || !doublestar.ValidatePattern(p) {
			s.fail(argument, "has a malformed pattern: "+strconv.Quote(p))
		}
		known = append(known, normalizePattern(p))
	}
	return known
}

// WithLinks follows symbolic links in a source directory that lead to a file or
// a directory in it. What several links lead to is transferred under each name. A
// link that leads outside, nowhere, to a directory that it lies in, or that is
// absolute, is counted as failed, also where WithInclude does not take its own
// name, for it may be a directory; and so is the fourth link to a directory in one
// path, since directories that link to one another make paths without end.
// Without this option links are passed over.
func WithLinks() Option { return option(func(s *settings) { s.links = true }) }

// WithChecksum compares the CRC32C of files of equal size, and nothing else:
// files are read, objects are asked for it, and read where the store keeps none.
func WithChecksum() Option { return option(func(s *settings) { s.checksum = true }) }

// WithDelete removes from the destination what the source does not have, at the
// end of the job, and nothing at all where a listing had an error or ctx is
// done. What may lie behind a link that could not be followed stays too.
//
// If the job finds no file in the source but has files to remove, it removes nothing
// and fails with ObjectNotFound: a prefix that is misspelt and a volume that is not
// mounted are empty, too. [WithEmptySource] removes them all the same.
func WithDelete() Option { return option(func(s *settings) { s.remove = true }) }

// WithEmptySource lets [WithDelete] remove everything from the destination if the
// source has no file.
func WithEmptySource() Option { return option(func(s *settings) { s.emptySource = true }) }

// WithNoSync leaves it to the operating system when files that are written to a
// directory are on the disk. Without this option each file is there before it gets
// its name, and all names are before the job ends: after a power failure a file is
// the old one or the new one, whole. With it a job of many small files is faster,
// and a power failure may leave files empty, also those that replaced others.
func WithNoSync() Option { return option(func(s *settings) { s.noSync = true }) }

// WithDryRun compares, and counts and reports what would be done, but does none
// of it. What would fail is not known.
func WithDryRun() Option { return option(func(s *settings) { s.dryRun = true }) }

// WithRule says the attributes of what is written to a bucket, by key: content
// type, cache-control, metadata, a provider's own. What rule says nothing of is
// as storage.Upload and storage.Copy have it. What is there already and the same
// is passed over, with other attributes too. rule is called by several goroutines
// at once.
func WithRule(rule func(key string) []storage.WriteOption) Option {
	return option(func(s *settings) { s.rule = rule })
}

// WithProgress tells how far the job is, at most ten times a second and once at
// its end, never twice at a time.
func WithProgress(report func(Progress)) Option {
	return option(func(s *settings) { s.progress = report })
}

// WithChanges tells of each file that was, or with WithDryRun would be,
// transferred or deleted, and of each that failed: one at a time, as they end,
// in no order. The job waits for report to return.
func WithChanges(report func(Change)) Option {
	return option(func(s *settings) { s.changes = report })
}

// WithNow sets the clock of Expire, of what WithResume gives up, and of which times lie
// in the future; the default is time.Now.
func WithNow(now func() time.Time) Option {
	return option(func(s *settings) { s.now = now })
}
