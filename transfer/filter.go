package transfer

import (
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/layerkeys"
)

// A Filter selects files by their key, size and time, and by a shard of all keys, as jobs
// do. Its methods may be called by several goroutines at the same time.
type Filter struct{ s *settings }

// NewFilter returns the filter of [WithPrefix], [WithInclude], [WithExclude], [WithKeys],
// [WithMinSize], [WithMaxSize], [WithModifiedAfter], [WithModifiedBefore], [WithShard]
// and [WithShardBounds].
// Without one of them it selects everything. It ignores other options. If an option is
// invalid, it fails with InvalidArgument.
func NewFilter(opts ...Option) (*Filter, error) {
	s := readOptions(opts)
	if s.err != nil {
		return nil, s.err
	}
	return &Filter{s}, nil
}

// Selects reports whether the filter selects an object or, if entry is that of a common
// prefix, whether it may select a key below it. As jobs do, it leaves out what layers keep in a bucket.
func (f *Filter) Selects(entry storage.ListEntry) bool {
	if entry.IsPrefix {
		return !f.s.inExcludedDir(entry.Key) && !layerkeys.Hides(entry.Key, f.s.prefix)
	}
	return f.s.selectsFile(entry.Key, entry.Size, entry.Modified)
}

// WithPrefix selects only keys that begin with prefix, and that the patterns select. A job lists
// only these keys of a bucket, and reads no directory that cannot have any. [Expire] still lists
// the prefixes of its rules. The prefix may end anywhere in a segment. [WithDelete] does not
// remove other keys from the destination. The last WithPrefix replaces others.
func WithPrefix(prefix string) Option {
	return option(func(s *settings) { s.prefix = prefix })
}

// WithKeys selects only keys for which match returns true, and that the patterns select.
// [WithDelete] does not remove other keys from the destination. match may be called by several
// goroutines at the same time. If it is nil, the job fails with InvalidArgument.
func WithKeys(match func(key string) bool) Option {
	return checked(match != nil, "WithKeys", "must not be nil", func(s *settings) { s.only = match })
}

// WithMinSize selects only files of at least this number of bytes. [WithDelete] does not
// remove smaller files from the destination, nor files whose source is smaller. If bytes is
// negative, the job fails with InvalidArgument.
func WithMinSize(bytes int64) Option {
	return checked(bytes >= 0, "WithMinSize", "must not be negative", func(s *settings) { s.minSize = bytes })
}

// WithMaxSize selects only files of at most this number of bytes. [WithDelete] does not
// remove larger files from the destination, nor files whose source is larger. If bytes is
// negative, the job fails with InvalidArgument.
func WithMaxSize(bytes int64) Option {
	return checked(
		bytes >= 0, "WithMaxSize", "must not be negative", func(s *settings) { s.maxSize, s.hasMaxSize = bytes, true },
	)
}

// WithModifiedAfter selects only files that were modified at t or later. An object was
// modified when it was written, whatever the mtime in its metadata is. An object whose store
// reports no time is not selected. [WithDelete] removes no older file from the destination.
func WithModifiedAfter(t time.Time) Option {
	return option(func(s *settings) { s.modifiedAfter = t })
}

// WithModifiedBefore selects only files that were modified before t. An object was modified
// when it was written, whatever the mtime in its metadata is. An object whose store reports no
// time is not selected. [WithDelete] removes no younger file from the destination.
func WithModifiedBefore(t time.Time) Option {
	return option(func(s *settings) { s.modifiedBefore = t })
}

// WithShard selects one of n disjoint parts of all keys. The n jobs with the numbers from 0 to
// n-1 do the work of one, on several machines. They need the same ends and options. The
// reports of the jobs add up to that of one job, except for directories and links that could
// not be read, which fail in each job.
//
// The shard of a key is stable: the first eight bytes of the SHA-256 of the key relative to
// its end, as a big-endian number, modulo n. With [WithShardBounds], and in [Sync] and [Compare]
// [WithInventory], it is a range of keys, so that each job lists only its range. A sample of the inventory makes
// the ranges about equal. If n is below 1, or i is not from 0 to n-1, the job fails with InvalidArgument.
func WithShard(i, n int) Option {
	return checked(
		i >= 0 && i < n, "WithShard", "must have a number from 0 to n-1",
		func(s *settings) { s.shard, s.shards = uint64(i), uint64(n) },
	)
}

// selectsFile reports whether the job selects a file.
func (s *settings) selectsFile(key string, size int64, modified time.Time) bool {
	return s.selects(key) && s.inShard(key) && s.fits(size, modified)
}

// fits reports whether the job selects a file with this size and time.
func (s *settings) fits(size int64, modified time.Time) bool {
	switch {
	case size < s.minSize, s.hasMaxSize && size > s.maxSize:
		return false
	case !s.modifiedAfter.IsZero() && (modified.IsZero() || modified.Before(s.modifiedAfter)):
		return false
	case !s.modifiedBefore.IsZero() && (modified.IsZero() || !modified.Before(s.modifiedBefore)):
		return false
	}
	return true
}

// inShard reports whether a key is in the shard of the job.
func (s *settings) inShard(key string) bool {
	switch {
	case s.shards <= 1:
		return true
	case s.ranges != nil:
		return s.ranges.contains(key)
	}
	return keyHash(key)%s.shards == s.shard
}

// selects reports whether the job includes key.
func (s *settings) selects(key string) bool {
	if !strings.HasPrefix(key, s.prefix) {
		return false
	}
	if s.anyName {
		return !s.inExcludedDir(key)
	}
	if len(s.include) > 0 && !matches(s.include, key) {
		return false
	}
	if layerkeys.Hides(key, s.prefix) && !s.ofLayers {
		return false
	}
	if s.only != nil && !s.only(key) || slices.Contains(s.held, key) {
		return false
	}
	return !s.inExcludedDir(key) && !matches(s.exclude, key)
}

// belowSuffix ends a pattern that matches everything in a directory, but not a file
// of the same name.
const belowSuffix = "/**/*"

// normalizePattern returns a pattern that is matched with a whole key. If p ends in a
// slash or two asterisks, the result matches everything in a directory. The name of a
// directory is never empty: "**/" does not match files at the top.
func normalizePattern(p string) string {
	dir, ofDir := strings.CutSuffix(p, "/")
	switch {
	case strings.HasPrefix(dir, "/"):
		dir = dir[1:]
	case !strings.Contains(dir, "/") && dir != "**":
		dir = "**/" + dir
	}
	if !ofDir {
		if dir, ofDir = strings.CutSuffix(dir, "/**"); !ofDir {
			return dir
		}
	} else if dir == "**" || strings.HasSuffix(dir, "/**") {
		dir += "/*"
	}
	return dir + belowSuffix
}

// excludesDir reports whether everything in a directory is excluded.
func (s *settings) excludesDir(dir string) bool {
	if !strings.HasPrefix(dir+"/", s.prefix) && !strings.HasPrefix(s.prefix, dir+"/") {
		return true
	}
	return slices.ContainsFunc(
		s.exclude, func(p string) bool { return doublestar.MatchUnvalidated(strings.TrimSuffix(p, belowSuffix), dir) },
	)
}

// inExcludedDir reports whether a directory in the path of a key is excluded. A
// prefix that ends in a slash includes its own directory.
func (s *settings) inExcludedDir(prefix string) bool {
	for i, c := range []byte(prefix) {
		if c == '/' && s.excludesDir(prefix[:i]) {
			return true
		}
	}
	return false
}

func matches(patterns []string, key string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return doublestar.MatchUnvalidated(p, key) })
}
