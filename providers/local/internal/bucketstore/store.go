// Package bucketstore implements a bucket in a directory: its objects, their versions, soft-deleted
// objects, multipart uploads and settings.
package bucketstore

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/lifetime"
	"github.com/omnibucket/storage/internal/signedurl"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

const (
	MaxParts = 10_000 // the largest part number
	MaxPage  = 1_000  // maximum number of buckets or keys in a page
)

// A Store holds the open directories of one driver. Each field depends only on fields above it, so
// the fields can be read in order.
type Store struct {
	Users int // calls in progress; the driver's mu guards it
	Root  *os.Root

	Tree       *bucketdir.Tree
	Reader     *objectfile.Reader
	Locks      *bucketdir.Locks
	Staging    *objectfile.Staging
	Settings   *Settings
	Noncurrent *Noncurrent
	removed    *softDeleted
	Objects    *Objects
	Uploads    *Uploads
}

// A Config holds what a driver knows about its bucket. Some fields are set before the directory is
// opened, and others while it is in use. All stores of a driver share one Config.
type Config struct {
	Name                string // name of the bucket's directory
	Path                string // absolute; a symbolic link in it may lead elsewhere later
	Managed             bool   // true for a bucket of a service, whose directory must be inside the account's
	Sync                bool
	Visible             bool   // true if each write also writes a visible sidecar
	FileMode            uint32 // 0 means 0666 without the umask
	Clock               bucketdir.Clock
	Versions            atomic.Bool    // true if the bucket keeps versions
	SoftDeleteRetention atomic.Int64   // how long a soft-deleted object is kept, in nanoseconds; 0 if soft delete is off
	LocksObjects        atomic.Bool    // true if the bucket was opened WithObjectLock
	ConfigKeys          signedurl.Keys // keys of Config

	// Tests set these fields to simulate other file systems. NoXattr is for one without extended
	// attributes, CoarseTimes for one with coarse times, and StrictNames for one that folds case.
	NoXattr, CoarseTimes, StrictNames bool
}

// Open opens the directory of a bucket without writing to the disk.
func Open(c *Config) (*Store, error) {
	root, err := openBucketRoot(c)
	if err != nil {
		return nil, err
	}
	top, err := osdir.Open(root, nil, "")
	if err != nil {
		_ = root.Close()
		return nil, bucketdir.WrapError(err)
	}

	s := newStore(c, root, top)
	// The disks of Windows and macOS usually fold case.
	s.Tree.Strict.Store(c.StrictNames || runtime.GOOS == "windows" || runtime.GOOS == "darwin")
	s.Tree.Coarse.Store(c.CoarseTimes)
	// The directory of the sidecars exists as soon as there was one.
	if _, err := root.Lstat(bucketdir.AttrsPath); err == nil {
		s.Reader.Sidecars.Store(true)
	}

	// The format of the bucket may require strict names or coarse times, too.
	if _, err := s.Tree.ReadFormat(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// newStore returns a store for an open directory. Each of its parts gets only the others that it
// needs.
func newStore(c *Config, root *os.Root, top *osdir.Dir) *Store {
	t := &bucketdir.Tree{
		Root:                root,
		Top:                 top,
		Path:                c.Path,
		Managed:             c.Managed,
		Sync:                c.Sync,
		Clock:               &c.Clock,
		Versions:            &c.Versions,
		SoftDeleteRetention: &c.SoftDeleteRetention,
		Simulated:           bucketdir.Format{Strict: c.StrictNames, Coarse: c.CoarseTimes},
	}

	s := &Store{Root: root, Tree: t}
	s.Reader = &objectfile.Reader{Tree: t, NoXattr: c.NoXattr, Visible: c.Visible}
	s.Locks = &bucketdir.Locks{Tree: t}
	s.Staging = &objectfile.Staging{Tree: t, Reader: s.Reader, FileMode: c.FileMode}
	s.Settings = &Settings{
		tree:         t,
		locks:        s.Locks,
		staging:      s.Staging,
		locksObjects: &c.LocksObjects,
		configKeys:   c.ConfigKeys,
	}

	s.removed = &softDeleted{
		dirs:   &versionDirs{tree: t, base: bucketdir.RemovedPath},
		tree:   t,
		reader: s.Reader,
	}
	s.Noncurrent = &Noncurrent{
		tree:    t,
		reader:  s.Reader,
		Dirs:    &versionDirs{tree: t, base: bucketdir.VersionsPath},
		removed: s.removed,
	}

	s.Objects = &Objects{
		tree:       t,
		reader:     s.Reader,
		locks:      s.Locks,
		staging:    s.Staging,
		settings:   s.Settings,
		noncurrent: s.Noncurrent,
		removed:    s.removed,
	}
	s.Uploads = &Uploads{tree: t, staging: s.Staging, settings: s.Settings, objects: s.Objects}
	return s
}

// openBucketRoot opens the directory of a bucket as an os.Root. The bucket of a service must be
// inside the service's directory, even if its name is a link.
func openBucketRoot(c *Config) (*os.Root, error) {
	if !c.Managed {
		root, err := bucketdir.OpenRoot(c.Path)
		if err != nil {
			return nil, err
		}
		// On Windows, other programs could not rename the directory while root is open.
		root, err = osdir.ShareRoot(root)
		return root, bucketdir.WrapError(err)
	}

	account, err := bucketdir.OpenRoot(filepath.Dir(c.Path))
	if err != nil {
		return nil, err
	}
	defer account.Close()
	root, err := account.OpenRoot(c.Name)
	if err != nil {
		return nil, &storage.Error{Code: storage.BucketNotFound, Err: err}
	}
	return root, nil
}

// Close closes the directories. No call may use the store after that.
func (s *Store) Close() {
	s.Staging.Close()
	s.Locks.Close()
	s.Tree.Top.Close()
	_ = s.Root.Close()
}

// tryBeginSweep reports whether the caller must sweep, because the last sweep, at a Unix time in
// nanoseconds, was long enough ago. If so, it sets lastSweep to now, so that only one of several
// concurrent calls returns true.
func tryBeginSweep(lastSweep *atomic.Int64, now time.Time) bool {
	last := lastSweep.Load()
	nowNano := now.UnixNano()
	// A last sweep in the future means that the clock was set back.
	isDue := nowNano < last || nowNano-last >= int64(lifetime.SweepPeriod)
	return isDue && lastSweep.CompareAndSwap(last, nowNano)
}

// Sweep removes abandoned uploads, soft-deleted files whose time has ended, and files that killed
// writers left.
func (s *Store) Sweep(ctx context.Context) error {
	s.Uploads.sweepUploads(ctx)
	s.removed.sweep(ctx)
	return s.Staging.SweepStaging()
}
