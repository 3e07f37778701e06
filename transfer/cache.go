package transfer

import (
	"fmt"

	"github.com/omnibucket/storage/transfer/internal/cache"
)

// WithCache remembers in the directory dir which files were the same at both ends. A repeated job
// between the same ends, with the same options, then asks the store only about files that have
// changed at one end. Without a cache, the job asks about each file for which the times of the
// listing do not show whether it is the same ([Sync]).
//
// A file counts as the same only if neither end has changed since then. For a file of a directory, that is
// its size, its modification time, its inode, and the time of its last change, which no program can
// set back (ctime). For an object, it is the size and the revision in the listing. So an upload with
// a cache also notices that a file was replaced by an older one of the same size, and asks about it.
//
// The directory is created if necessary. Several jobs may use one directory, at the same time, too.
// It has one file for each pair of ends, with 16 bytes for each file of the job. A file that no job
// has used for 90 days is removed. If the cache cannot be read or written, or was removed, the job compares
// as it does without one.
//
// A job has no cache with [WithChecksum], [WithSizeOnly], [WithMissingOnly], [WithMove] or
// [WithInventory], and [Compare] never has one. A job between two directories needs none. There is
// also none on systems that do not report the time of the last change, such as Windows, and for
// buckets of types that are not from this library. If dir is the source or destination itself, the
// job fails with InvalidArgument. If dir lies below one of them, the job skips it.
func WithCache(dir string) Option {
	return checked(dir != "", "WithCache", "must name a directory", func(s *settings) {
		s.cacheDir = dir
	})
}

// openCache opens the cache of the job. It returns nil if the job has no WithCache, or if other options
// determine how the job compares files.
func (s *settings) openCache(dst, src End) *cache.Cache {
	if s.cacheDir == "" {
		return nil
	}
	isBetweenDirs := src.kind == dirEnd && dst.kind == dirEnd
	ignoresCache := isBetweenDirs || s.checksum || s.sizeOnly || s.missingOnly || s.inventory != nil
	if ignoresCache {
		return nil
	}

	// Without a name that is the same in every process, a later job would not find the cache.
	srcName := src.name()
	dstName := dst.name()
	if srcName == "" || dstName == "" {
		return nil
	}

	// A rule changes what a copy compares, so a job with a rule has a cache of its own.
	job := fmt.Sprintf("%s\n%s\n%s rule %t", srcName, dstName, s.jobText(), s.rule != nil)
	return cache.Open(s.cacheDir, job, s.now(), s.dryRun)
}
