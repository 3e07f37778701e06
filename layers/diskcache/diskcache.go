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
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
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
	root   *os.Root
	now    func() time.Time

	scanning sync.Mutex // one scan at a time

	counting  sync.Mutex
	unscanned int64 // bytes written since the last scan
	writing   int64 // bytes that are being written
	full      bool  // a write found no room on the disk, and no scan has begun since
	fullAt    time.Time
}

// Open opens the cache in dir, and creates dir with mode 0700 if it does not exist. Files in
// it that are not blocks stay as they are.
//
// InvalidArgument: a number in c is out of range, or dir belongs to another user or others may write to it.
// Internal: dir cannot be used; errors.As reaches the *fs.PathError.
func Open(dir string, c Config) (*Cache, error) {
	c.MaxBytes, c.BlockBytes = cmp.Or(c.MaxBytes, defaultMaxBytes), cmp.Or(c.BlockBytes, defaultBlockBytes)
	switch {
	case c.MaxBytes < 0:
		return nil, invalid("MaxBytes must not be negative")
	case c.BlockBytes < 1 || c.BlockBytes > maxBlockBytes:
		return nil, invalid(fmt.Sprintf("BlockBytes must be from 1 to %d", maxBlockBytes))
	case c.TrustFor < 0:
		return nil, invalid("TrustFor must not be negative")
	case dir == "":
		return nil, invalid("dir must not be empty")
	}
	root, err := openDir(dir)
	if err != nil {
		return nil, err
	}
	cache := &Cache{config: c, root: root, now: time.Now, unscanned: math.MaxInt64 / 2}
	cache.makeRoom(0)
	return cache, nil
}

func openDir(dir string) (*os.Root, error) {
	fail := func(err error) (*os.Root, error) {
		return nil, &storage.Error{Code: storage.Internal, Op: "diskcache.Open", Err: err}
	}
	if err := os.MkdirAll(filepath.Clean(dir), 0o700); err != nil {
		return fail(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fail(err)
	}
	info, err := root.Stat(".")
	if err != nil {
		_ = root.Close()
		return fail(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 || isForeign(info) { // a block of theirs would be believed
		_ = root.Close()
		return nil, invalid("dir must belong to the user of this process, and must not be writable for others")
	}
	return root, nil
}

func invalid(rule string) error {
	return &storage.Error{Code: storage.InvalidArgument, Op: "diskcache.Open", Err: errors.New(rule)}
}

// Layer returns the layer for [driver.WithLayer]. Close the buckets before the cache.
func (c *Cache) Layer() driver.Layer {
	return func(next driver.Driver) driver.Driver { return newDriver(next, c) }
}

// Close releases the directory. The blocks stay. Reads in progress no longer use them.
func (c *Cache) Close() error { return c.root.Close() }
