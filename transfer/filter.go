package transfer

import (
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/objectkey"
)

// A Filter selects files by key, size, time and shard, in the same way as jobs do. Its methods may
// be called by several goroutines at the same time.
type Filter struct{ s *settings }

// NewFilter returns a filter with the options [WithPrefix], [WithInclude], [WithExclude], [WithKeys],
// [WithMinSize], [WithMaxSize], [WithModifiedAfter], [WithModifiedBefore], [WithShard] and
// [WithShardBounds]. It ignores other options. Without any of these, the filter selects everything. If
// an option is invalid, NewFilter fails with InvalidArgument.
func NewFilter(opts ...Option) (*Filter, error) {
	s := readOptions(opts)
	if s.err != nil {
		return nil, s.err
	}
	return &Filter{s}, nil
}

// Selects reports whether the filter selects an object, or may select one below a common prefix. It
// does not select the objects that layers keep in a bucket for their own use.
func (f *Filter) Selects(entry storage.ListEntry) bool {
	if entry.IsPrefix {
		return !f.s.files.InExcludedDir(entry.Key) && !objectkey.Hides(entry.Key, f.s.files.Prefix)
	}
	return f.s.files.SelectsFile(entry.Key, entry.Size, entry.Modified)
}

// WithPrefix selects only keys that begin with prefix. The prefix may end anywhere in a segment. A
// key must also match the patterns of [WithInclude] and [WithExclude]. In a bucket, a job lists
// only the keys with the prefix. In a directory, it skips subdirectories that cannot have such
// keys. [Expire] lists the prefixes of its rules, and skips keys without the prefix of WithPrefix.
// [WithDelete] does not remove other keys from the destination. If WithPrefix is given several
// times, the last one counts.
func WithPrefix(prefix string) Option {
	return option(func(s *settings) {
		s.files.Prefix = prefix
	})
}

// WithKeys selects only keys for which the function match returns true. A key must also match the
// patterns of [WithInclude] and [WithExclude]. [WithDelete] does not remove other keys from the
// destination. Several goroutines may call match at the same time. If match is nil, the job fails
// with InvalidArgument.
func WithKeys(match func(key string) bool) Option {
	return checked(match != nil, "WithKeys", "must not be nil", func(s *settings) {
		s.files.Only = match
	})
}

// WithMinSize selects only files of at least this number of bytes. [WithDelete] does not remove
// smaller files from the destination. If the source has a smaller file, [WithDelete] also keeps the
// file with the same key at the destination. If bytes is negative, the job fails with
// InvalidArgument.
func WithMinSize(bytes int64) Option {
	return checked(bytes >= 0, "WithMinSize", "must not be negative", func(s *settings) {
		s.files.MinSize = bytes
	})
}

// WithMaxSize selects only files of at most this number of bytes. [WithDelete] does not remove larger
// files from the destination, and keeps the file with the key of a larger file of the source. If bytes
// is negative, the job fails with InvalidArgument.
func WithMaxSize(bytes int64) Option {
	return checked(bytes >= 0, "WithMaxSize", "must not be negative", func(s *settings) {
		s.files.MaxSize = bytes
		s.files.HasMaxSize = true
	})
}

// WithModifiedAfter selects only files that were modified at t or later. For an object, the time at
// which it was written counts, and not the mtime in its metadata. If the store reports no time, the
// object is not selected. [WithDelete] does not remove older files from the destination.
func WithModifiedAfter(t time.Time) Option {
	return option(func(s *settings) {
		s.files.ModifiedAfter = t
	})
}

// WithModifiedBefore selects only files that were modified before t. For an object, the time at
// which it was written counts, and not the mtime in its metadata. If the store reports no time, the
// object is not selected. [WithDelete] does not remove younger files from the destination.
func WithModifiedBefore(t time.Time) Option {
	return option(func(s *settings) {
		s.files.ModifiedBefore = t
	})
}

// WithShard selects one of n disjoint parts of all keys. Several machines can share the work with n
// jobs, which have the numbers 0 to n-1 and the same ends and options. Their reports add up to the
// report of one job without WithShard, except that each of the n jobs counts a failure for a directory
// or link that cannot be read.
//
// The shard of a key is stable, and is computed from the key relative to its directory or bucket. The
// first eight bytes of the SHA-256 of that key are a big-endian number, and the shard is that number
// modulo n.
//
// With [WithShardBounds], a shard is a range of keys instead, and each job lists only its range. With
// [WithInventory], [Sync] and [Compare] also use ranges. They read a sample of the inventory, and
// choose ranges with about equal numbers of keys. If n is below 1, or i is not from 0 to n-1, the job
// fails with InvalidArgument.
func WithShard(i, n int) Option {
	return checked(
		i >= 0 && i < n, "WithShard", "must have a number from 0 to n-1",
		func(s *settings) {
			s.files.Shard = uint64(i)
			s.files.Shards = uint64(n)
		},
	)
}
