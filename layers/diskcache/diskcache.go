// Package diskcache keeps blocks of objects in a directory of this machine. If a program reads the
// same pieces of large objects again, such as columns of Parquet files, it reads them from the
// disk.
//
//	cache, err := diskcache.Open("/var/cache/tables", diskcache.Config{MaxBytes: 10 << 30})
//	bucket, err := storage.Open(ctx, "s3://tables?region=eu-west-1", driver.WithLayer(cache.Layer()))
//
// The cache serves reads that are pinned to a revision: all requests of [storage.ReaderAt], all
// requests of [storage.ReadRanges] except the first, and downloads with [storage.IfRevision]. With
// [Config.Unpinned], it also serves other reads without a condition or a version. All other calls
// go to the store unchanged, and so do reads with [storage.WithNativeAttrs]. A block belongs to one
// revision, so that it is never stale. Objects without a revision are never cached. In a local
// directory, another program can change a file without changing its revision (see package local).
//
// Several processes may share a directory. A block appears whole or not at all, and has a checksum.
// If a block was damaged, for example by a power failure, it is fetched again. The files hold the
// bytes of objects, unencrypted.
package diskcache

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/layers/internal/otherstore"
)

const (
	defaultMaxBytes   = 1 << 30
	defaultBlockBytes = 64 << 10 // equal to the blocks of a ReaderAt, so that no byte is fetched twice
	maxBlockBytes     = 64 << 20
)

// A Config sets up a cache. The zero value has the defaults.
type Config struct {
	// MaxBytes is the largest size of all blocks in the directory, in bytes. The default is 1 GiB.
	// If the limit is reached or the disk is full, the least recently used blocks are removed. Each
	// further process that shares the directory may exceed the limit by a sixteenth.
	MaxBytes int64
	// BlockBytes is the size of a block. The default is 64 KiB, and the largest is 64 MiB.
	// Processes share blocks only if they have the same BlockBytes.
	BlockBytes int64
	// TrustFor is the time for which the cache trusts a revision after the store has confirmed that
	// it is the current one. During that time, reads of cached blocks make no request, even if the
	// object was changed, removed or forbidden. The default is 0: each read makes at least one
	// request to confirm the revision. If the cache has the bytes, that request transfers no
	// content. A confirmation is valid only for the bucket that received it, because another bucket
	// may have other credentials.
	TrustFor time.Duration
	// Unpinned makes the cache also serve reads that name no revision. For example, programs that
	// use S3 or HTTP make such reads. Each such read first makes a request for the current
	// revision, even within TrustFor. If the cache lacks the bytes, a second request reads them.
	Unpinned bool
}

// A Cache is a directory of blocks. It may serve several buckets.
type Cache struct {
	config Config
	dir    string
	root   *os.Root // folder of the blocks
	now    func() time.Time

	scanning sync.Mutex // held during a scan

	counting  sync.Mutex
	unscanned int64 // bytes written since the last scan
	writing   int64 // bytes that are being written
	full      bool  // true if the disk was full at a write, and no scan has begun since then
	fullAt    time.Time
}

// Open opens the cache in dir, and creates dir with mode 0700 if it does not exist. The blocks are
// in its folder omnibucket-blocks, which has a file CACHEDIR.TAG. Open does not touch other files
// in dir, except that it removes blocks of former releases, which it recognizes by their contents.
//
// It fails with InvalidArgument if a number in c is out of range, if dir belongs to another user or
// others may write to it, or if the folder has files but no CACHEDIR.TAG. It fails with Internal if
// dir cannot be used. The error then wraps an *fs.PathError.
func Open(dir string, c Config) (*Cache, error) {
	c.MaxBytes = cmp.Or(c.MaxBytes, defaultMaxBytes)
	c.BlockBytes = cmp.Or(c.BlockBytes, defaultBlockBytes)
	if c.MaxBytes < 0 {
		return nil, invalid("MaxBytes must not be negative", "")
	}
	if c.BlockBytes < 1 || c.BlockBytes > maxBlockBytes {
		return nil, invalid(fmt.Sprintf("BlockBytes must be from 1 to %d", maxBlockBytes), "")
	}
	if c.TrustFor < 0 {
		return nil, invalid("TrustFor must not be negative", "")
	}
	if dir == "" {
		return nil, invalid("dir must not be empty", "")
	}
	root, err := openDir(dir)
	if err != nil {
		return nil, err
	}

	// The directory may have blocks of other processes, so makeRoom must scan it at once.
	cache := &Cache{config: c, dir: dir, root: root, now: time.Now, unscanned: scanNow}
	cache.makeRoom(0)
	return cache, nil
}

// invalid returns an error of Open with the code InvalidArgument.
func invalid(rule, hint string) error {
	return &storage.Error{Code: storage.InvalidArgument, Op: "diskcache.Open", Err: errors.New(rule), Hint: hint}
}

// Layer returns the layer for [driver.WithLayer]. Close the buckets before the cache.
//
// If the cache's directory is known to be inside of the bucket's directory, or around it, every call of
// the bucket fails with InvalidArgument. Otherwise the blocks would be objects of the bucket, and
// reading them would make further blocks.
func (c *Cache) Layer() driver.Layer {
	return func(next driver.Driver) driver.Driver {
		if driver.Overlap(serving.Directory(c.dir), engine.New(next)) {
			return otherstore.Refuse(next, &storage.Error{
				Code: storage.InvalidArgument,
				Err:  errors.New("the directory of a cache must not overlap with that of the bucket"),
				Hint: "name a directory outside of the bucket",
			})
		}
		return newDriver(next, c)
	}
}

// Close releases the directory. The blocks stay on the disk, but reads in progress no longer use
// them.
func (c *Cache) Close() error { return c.root.Close() }
