// Package diskcache keeps blocks of objects in a directory of this machine. Programs that read
// pieces of large objects again and again, such as columns of Parquet files, read them from
// the disk the next time.
//
//	cache, err := diskcache.Open("/var/cache/tables", diskcache.Config{MaxBytes: 10 << 30})
//	bucket, err := storage.Open(ctx, "s3://tables?region=eu-west-1", driver.WithLayer(cache.Layer()))
//
// The cache serves reads that are pinned to a revision: those of [storage.ReaderAt], all
// requests of [storage.ReadRanges] but the first, and downloads with [storage.IfRevision].
// With [Config.Unpinned] it serves all others that have no condition and name no version. All other calls, and
// reads [storage.WithNativeAttrs], pass it unchanged. A block belongs to one revision, so it is never stale; an object
// without a revision is never kept.
//
// Several processes may share a directory. A block appears whole or not at all, and has a
// checksum: one that was damaged, also by a power failure, is fetched again. The files hold
// the bytes of objects, unencrypted.
package diskcache

import (
	"cmp"
	"errors"
	"fmt"
	"math"
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
	defaultBlockBytes = 64 << 10 // as the blocks of a ReaderAt: then no byte is fetched in vain
	maxBlockBytes     = 64 << 20
)

// A Config sets up a cache. The zero value has the defaults.
type Config struct {
	// MaxBytes bounds the blocks in the directory, in bytes; the default is 1 GiB. Blocks that
	// were not used for the longest time are removed first, also if the disk is full. Each further process that shares
	// the directory may exceed it by a sixteenth.
	MaxBytes int64
	// BlockBytes is the size of a block; the default is 64 KiB, the most is 64 MiB. Processes
	// that share blocks need the same size.
	BlockBytes int64
	// TrustFor is how long a revision that the store has confirmed is taken for the current one.
	// Meanwhile blocks in the cache are read without a request, also if the object was
	// changed, removed or forbidden. The default is 0: each read makes at least one request,
	// which transfers no bytes if they are in the cache. A bucket that is opened again, perhaps with
	// other credentials, asks the store itself.
	TrustFor time.Duration
	// Unpinned also keeps reads that name no revision, as those of programs that speak S3 or HTTP. Each asks the
	// store for the current revision first, whatever TrustFor is: one request more if the bytes are not in the cache.
	Unpinned bool
}

// A Cache is a directory of blocks. It may serve several buckets.
type Cache struct {
	config Config
	dir    string
	root   *os.Root // the folder of the blocks
	now    func() time.Time

	scanning sync.Mutex // one scan at a time

	counting  sync.Mutex
	unscanned int64 // bytes written since the last scan
	writing   int64 // bytes that are being written
	full      bool  // a write found no room on the disk, and no scan has begun since
	fullAt    time.Time
}

// Open opens the cache in dir, and creates dir with mode 0700 if it does not exist. The blocks are in its folder
// omnibucket-blocks, which a file CACHEDIR.TAG marks. Other files in dir stay as they are, except blocks of former
// releases, which Open recognizes by their contents and removes.
//
// It fails with InvalidArgument if a number in c is out of range, if dir belongs to another user or others may write to
// it, or if the folder has files and no mark. It fails with Internal if dir cannot be used; errors.As reaches the
// *fs.PathError.
func Open(dir string, c Config) (*Cache, error) {
	c.MaxBytes, c.BlockBytes = cmp.Or(c.MaxBytes, defaultMaxBytes), cmp.Or(c.BlockBytes, defaultBlockBytes)
	switch {
	case c.MaxBytes < 0:
		return nil, invalid("MaxBytes must not be negative", "")
	case c.BlockBytes < 1 || c.BlockBytes > maxBlockBytes:
		return nil, invalid(fmt.Sprintf("BlockBytes must be from 1 to %d", maxBlockBytes), "")
	case c.TrustFor < 0:
		return nil, invalid("TrustFor must not be negative", "")
	case dir == "":
		return nil, invalid("dir must not be empty", "")
	}
	root, err := openDir(dir)
	if err != nil {
		return nil, err
	}
	cache := &Cache{config: c, dir: dir, root: root, now: time.Now, unscanned: math.MaxInt64 / 2}
	cache.makeRoom(0)
	return cache, nil
}

func invalid(rule, hint string) error {
	return &storage.Error{Code: storage.InvalidArgument, Op: "diskcache.Open", Err: errors.New(rule), Hint: hint}
}

// Layer returns the layer for [driver.WithLayer]. Close the buckets before the cache.
//
// If the directory is known to lie in that of a bucket, or the reverse, every call of the bucket fails with
// InvalidArgument. The blocks would be objects of it, and reading them would make further ones.
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

// Close releases the directory. The blocks stay. Reads in progress no longer use them.
func (c *Cache) Close() error { return c.root.Close() }
