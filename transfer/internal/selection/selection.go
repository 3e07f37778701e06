// Package selection says which files a job handles: by key, pattern, size, time and shard. A Selection is asked
// for each file.
package selection

import (
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/omnibucket/storage/internal/objectkey"
)

// A Selection says which files a job handles.
type Selection struct {
	Prefix  string
	Include []string // patterns, as ParsePattern returns them
	Exclude []string // patterns, as ParsePattern returns them
	Only    func(key string) bool

	MinSize        int64
	MaxSize        int64
	HasMaxSize     bool
	ModifiedAfter  time.Time
	ModifiedBefore time.Time

	Shard   uint64
	Shards  uint64
	Bounds  []string  // the keys of WithShardBounds
	Bounded bool      // whether WithShardBounds was given
	Ranges  *KeyRange // the shard of the job, if shards are ranges of keys; otherwise nil

	ignoresFilters bool     // whether patterns are ignored, except those that exclude a directory
	IncludesLayers bool     // whether objects of layers are selected, too; jobs normally leave them out
	LeaseKeys      []string // keys of the lease objects that this process holds; the job leaves out these objects
}

// SelectsFile reports whether the options of the job select a file.
func (s *Selection) SelectsFile(key string, size int64, modified time.Time) bool {
	return s.Selects(key) && s.InShard(key) && s.MatchesSizeAndTime(size, modified)
}

// MatchesSizeAndTime reports whether the options select a file of this size and time. With a time
// range, a file whose time is unknown is not selected.
func (s *Selection) MatchesSizeAndTime(size int64, modified time.Time) bool {
	if size < s.MinSize {
		return false
	}
	if s.HasMaxSize && size > s.MaxSize {
		return false
	}

	hasTimes := !s.ModifiedAfter.IsZero() || !s.ModifiedBefore.IsZero()
	if hasTimes && modified.IsZero() {
		return false
	}
	if !s.ModifiedAfter.IsZero() && modified.Before(s.ModifiedAfter) {
		return false
	}
	return s.ModifiedBefore.IsZero() || modified.Before(s.ModifiedBefore)
}

// InShard reports whether a key is in the shard of the job. Unless shards are ranges of keys, the hash of
// the key decides.
func (s *Selection) InShard(key string) bool {
	if s.Shards <= 1 {
		return true
	}
	if s.Ranges != nil {
		return s.Ranges.Contains(key)
	}
	return keyHash(key)%s.Shards == s.Shard
}

// Selects reports whether the prefix, the patterns and WithKeys select a key. It does not select the
// objects that layers, such as an overlay, or held leases keep in the bucket for themselves.
func (s *Selection) Selects(key string) bool {
	if !strings.HasPrefix(key, s.Prefix) {
		return false
	}
	if s.ignoresFilters {
		return !s.InExcludedDir(key)
	}

	isIncluded := len(s.Include) == 0 || matches(s.Include, key)
	if !isIncluded {
		return false
	}
	isOfLayer := objectkey.Hides(key, s.Prefix)
	if isOfLayer && !s.IncludesLayers {
		return false
	}
	if s.Only != nil && !s.Only(key) {
		return false
	}
	isLease := slices.Contains(s.LeaseKeys, key)
	if isLease {
		return false
	}
	return !s.InExcludedDir(key) && !matches(s.Exclude, key)
}

// ExcludesDir reports whether everything in a directory is excluded.
func (s *Selection) ExcludesDir(dir string) bool {
	isInPrefix := strings.HasPrefix(dir+"/", s.Prefix)
	containsPrefix := strings.HasPrefix(s.Prefix, dir+"/")
	if !isInPrefix && !containsPrefix {
		return true
	}

	// A pattern that excludes everything in a directory is the path of the directory and belowSuffix.
	return slices.ContainsFunc(s.Exclude, func(p string) bool {
		return doublestar.MatchUnvalidated(strings.TrimSuffix(p, belowSuffix), dir)
	})
}

// InExcludedDir reports whether a directory in the path of a key is excluded. If prefix ends in a
// slash, the directory that it names counts, too.
func (s *Selection) InExcludedDir(prefix string) bool {
	for i, c := range []byte(prefix) {
		if c == '/' && s.ExcludesDir(prefix[:i]) {
			return true
		}
	}
	return false
}

func matches(patterns []string, key string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return doublestar.MatchUnvalidated(p, key) })
}

// WithoutFilters returns a selection of all files except those in excluded directories, which a job
// does not read.
func (s *Selection) WithoutFilters() *Selection {
	wide := *s
	wide.Prefix = ""
	wide.Ranges = nil
	wide.ignoresFilters = true
	return &wide
}
