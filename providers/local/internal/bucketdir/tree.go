// Package bucketdir manages the directory of a bucket: the names that keys have on the disk, the
// small files in the reserved directory, and the locks against other processes. It also maps errors
// of the operating system to codes. It does not handle objects, which package objectfile does.
package bucketdir

import (
	"cmp"
	"errors"
	"os"
	"sync/atomic"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// These are the entries of the reserved directory. The first write creates that directory. Reading
// a bucket does not change it.
const (
	formatPath   = Reserved + "/format.json" // the Format, which describes the disk
	SettingsPath = Reserved + "/bucket.json" // the settings of the bucket
	TmpPath      = Reserved + "/tmp"         // files that are being written, in one directory for each writer
	LockPath     = Reserved + "/lock"        // empty; its bytes are locked, and never read
	AttrsPath    = Reserved + "/attrs"       // attributes of objects, named by inode
	UploadsPath  = Reserved + "/uploads"     // parts, in one directory for each upload
	VersionsPath = Reserved + "/versions"    // noncurrent versions, in one directory for each key
	RemovedPath  = Reserved + "/removed"     // soft-deleted objects, in one directory for each key
)

// A Tree gives access to the directories of a bucket and to the small files in its reserved
// directory.
type Tree struct {
	Root                *os.Root
	Top                 *osdir.Dir // the directory of the bucket
	Path                string     // path of the bucket's directory
	Managed             bool       // true if a service manages the bucket
	Sync                bool       // true if writes are flushed to the disk
	Clock               *Clock
	Versions            *atomic.Bool  // true if the bucket keeps versions
	SoftDeleteRetention *atomic.Int64 // how long a soft-deleted object is kept, in nanoseconds; 0 if soft delete is off
	Simulated           Format        // for tests: the disk to simulate

	OnOpen func(path string) // for tests, or nil: called before a directory or a file in it is opened

	Ready          atomic.Bool // true if the reserved directory is known to exist
	Strict, Coarse atomic.Bool // from the bucket's Format; false until it has been read
}

// StatTarget describes the target of a symbolic link. It fails if the target is outside the bucket.
func (t *Tree) StatTarget(dir *osdir.Dir, base string) (osdir.Meta, error) {
	f, err := dir.Open(base)
	if err != nil {
		return osdir.Meta{}, err
	}
	defer f.Close()
	return f.Meta, nil
}

// Names returns the rule for the names that keys have on this disk.
func (t *Tree) Names() Names { return Names{Strict: t.Strict.Load()} }

// KeepsVersions reports whether the bucket keeps versions. Another process may have changed that
// since this driver last read the settings.
func (t *Tree) KeepsVersions() bool { return t.Versions.Load() }

// Open opens a directory of the bucket. The caller must close it with CloseDir.
func (t *Tree) Open(path string) (*osdir.Dir, error) {
	t.Opening(path)
	if path == "" {
		return t.Top, nil
	}
	return osdir.Open(t.Root, t.Top, path)
}

// Opening calls OnOpen, if a test has set it.
func (t *Tree) Opening(path string) {
	if t.OnOpen != nil {
		t.OnOpen(path)
	}
}

// OpenIfThere opens a directory as Open does. If the directory does not exist, it returns nil.
func (t *Tree) OpenIfThere(path string) (*osdir.Dir, error) {
	dir, err := t.Open(path)
	return dir, IgnoreNotExist(err)
}

// OpenToRead opens a directory to read its names. It always uses a new descriptor, because
// concurrent readers must not share a position in the directory.
func (t *Tree) OpenToRead(path string) (*osdir.Dir, error) {
	t.Opening(path)
	return osdir.Open(t.Root, t.Top, path)
}

// CloseDir closes a directory that Open returned. If dir is nil, it does nothing.
func (t *Tree) CloseDir(dir *osdir.Dir) {
	if dir != t.Top {
		dir.Close()
	}
}

// ErrReplaced means that the path of the bucket now leads to another directory than the open one.
// The next attempt opens the new directory.
var ErrReplaced = &storage.Error{
	Code: storage.Unavailable,
	Err:  errors.New("another directory took the place of the bucket's directory during this call"),
	Hint: "stop the programs that use a bucket before you replace its directory",
}

// GoneError returns a BucketNotFound error, caused by err, for a bucket whose open directory is no
// longer at its path. managed tells that the bucket belongs to a service.
func GoneError(managed bool, err error) error {
	goneErr := &storage.Error{Code: storage.BucketNotFound, Err: err}
	if !managed {
		// The engine has a better hint for a bucket of a service.
		goneErr.Hint = "create the bucket's directory again: it was removed or moved"
	}
	return goneErr
}

// CheckPath checks that the path of the bucket still leads to the open directory. It fails with
// BucketNotFound if another program has removed the directory, and with ErrReplaced if there is
// another one at the path.
func (t *Tree) CheckPath() error {
	isAtPath, err := t.Top.IsAt(t.Path)
	if osdir.IsNotExist(err) {
		return GoneError(t.Managed, err)
	}
	if err != nil {
		return WrapError(err)
	}
	if !isAtPath {
		return ErrReplaced
	}
	return nil
}

// NotFoundError returns the error for an object that is not there: ObjectNotFound, unless the bucket
// itself is not at its path any more.
func (t *Tree) NotFoundError() error {
	if err := t.CheckPath(); err != nil {
		return err
	}
	return storage.ObjectNotFound
}

// PathLostError returns the error of a call for err, the error of an operation in the bucket's
// directory. It is that of NotFoundError if err says that a path is missing.
func (t *Tree) PathLostError(err error) error {
	if osdir.IsNotExist(err) {
		return t.NotFoundError()
	}
	return WrapError(err)
}

// Flush flushes the names in an open directory to the disk, if t.Sync is set.
func (t *Tree) Flush(dir *osdir.Dir) error {
	if !t.Sync {
		return nil
	}
	return dir.Sync()
}

// SyncDir flushes the names in the directory at path to the disk, if t.Sync is set.
func (t *Tree) SyncDir(path string) error {
	if !t.Sync {
		return nil
	}
	return UnknownOutcome(localfile.SyncDirIn(t.Root, cmp.Or(path, ".")))
}
