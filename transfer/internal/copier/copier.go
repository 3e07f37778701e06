// Package copier compares and copies single files from one end of a job to the other. New returns the Copier for the
// kinds of the two ends.
package copier

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer/internal/cache"
	"github.com/omnibucket/storage/transfer/internal/ends"
)

// A Settings has the options of a job that change how a file is compared and transferred.
type Settings struct {
	Rule   func(key string) []storage.WriteOption
	Locks  bool
	Resume ResumeDir
	Cache  *cache.Cache // nil if the job has none
	Now    func() time.Time
	DryRun bool
}

// A Comparison is the result of comparing two files with the same key.
type Comparison int

const (
	Same    Comparison = iota
	Differs            // the file must be transferred
	Unclear            // CompareDeep decides
)

// A Copier compares and transfers files, from one kind of end to another, such as a directory
// to a bucket.
type Copier interface {
	// Compare compares two files of equal size by what their listings contain.
	Compare(src, dst ends.Entry) Comparison
	// CompareDeep reads attributes and, if necessary, contents. It reports whether the files are
	// the same. The result listed is false if it has compared another revision than the one that was
	// listed. A job calls CompareDeep if Compare returned Unclear.
	CompareDeep(ctx context.Context, src, dst ends.Entry) (equal, listed bool, err error)
	// Transfer transfers a file, and returns how many bytes it stored. It sends at most the given
	// number of requests in parallel. listed is true if the destination has a file with this key.
	// During the transfer, it calls the given function with the number of bytes done so far, and
	// with the size of the file.
	Transfer(ctx context.Context, src ends.Entry, listed bool, requests int, moved func(done, total int64)) (int64, error)
}

// New returns the Copier for the kinds of src and dst.
func New(dst, src ends.End, s *Settings) Copier {
	srcTree, srcIsTree := src.(*ends.Tree)
	dstTree, dstIsTree := dst.(*ends.Tree)
	if srcIsTree && dstIsTree {
		return &fileCopier{src: srcTree, dst: dstTree}
	}
	if srcIsTree {
		return &uploader{src: srcTree, dst: dst.(*ends.Objects).Bucket, settings: s}
	}

	source := src.(*ends.Objects).Source
	if dstIsTree {
		return &downloader{src: source, dst: dstTree, settings: s}
	}
	return &bucketCopier{src: source, dst: dst.(*ends.Objects).Bucket, settings: s}
}
