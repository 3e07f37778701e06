package bucketstore

import (
	"context"
	"errors"
	"os"
	"slices"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// Noncurrent stores the noncurrent versions and the delete markers of objects.
type Noncurrent struct {
	tree   *bucketdir.Tree
	reader *objectfile.Reader
	Dirs   *versionDirs

	removed *softDeleted // keeps versions that are removed permanently, if soft delete is on
}

// keepVersion adds the current object to the noncurrent versions, as a hard link. The caller holds
// the lock of the key.
func (n *Noncurrent) keepVersion(ctx context.Context, key string, current objectfile.ObjectFile) error {
	return n.Dirs.withDir(ctx, key, func(dst *osdir.Dir) error {
		return linkVersion(dst, objectfile.VersionOf(current.Meta), current)
	})
}

// MarkRemoved adds the current object, if there is one, to the noncurrent versions of its key, and a
// delete marker after it. The caller must hold the lock of the key, and remove the object afterwards.
func (n *Noncurrent) MarkRemoved(ctx context.Context, key string, current objectfile.ObjectFile) error {
	return n.Dirs.withDir(ctx, key, func(dst *osdir.Dir) error {
		if current.Found() {
			if err := linkVersion(dst, objectfile.VersionOf(current.Meta), current); err != nil {
				return err
			}
		}

		// The marker must be newer than all versions.
		newest, err := n.newestTime(dst)
		if err != nil {
			return err
		}
		markerTime := max(n.tree.Clock.Next().UnixNano(), newest+1)
		if current.Found() {
			// The time of the current object may be in the future.
			markerTime = max(markerTime, current.Meta.MTime+1)
		}
		return n.writeMarker(dst.PathOf(objectfile.MarkerOf(markerTime)))
	})
}

// writeMarker creates the empty file of a delete marker, and flushes it to the disk if the tree wants
// that.
func (n *Noncurrent) writeMarker(path string) error {
	f, err := n.tree.Root.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	if n.tree.Sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// newestTime returns the time of the newest version or delete marker in dir, in nanoseconds, or 0 if
// there is none.
func (n *Noncurrent) newestTime(dir *osdir.Dir) (newest int64, err error) {
	for e, err := range dir.Each {
		if err != nil {
			return 0, bucketdir.WrapError(err)
		}
		if objectfile.ValidVersion(e.Name) {
			newest = max(newest, objectfile.VersionTime(e.Name))
		}
	}
	return newest, nil
}

// newestKeptOf returns the time of a key's newest noncurrent version or delete marker, in nanoseconds,
// or 0 if the key has none.
func (n *Noncurrent) newestKeptOf(key string) (int64, error) {
	dir, err := n.tree.Open(n.Dirs.Path(key))
	if err != nil {
		return 0, bucketdir.IgnoreNotExist(err)
	}
	defer n.tree.CloseDir(dir)
	return n.newestTime(dir)
}

// noncurrentVersions returns the noncurrent versions and delete markers of a key, newest first. It
// omits those that isLeftover says an interrupted removal of the current object has left.
func (n *Noncurrent) noncurrentVersions(key string, current objectfile.ObjectFile) ([]string, error) {
	dir, err := n.tree.Open(n.Dirs.Path(key))
	if err != nil {
		return nil, bucketdir.IgnoreNotExist(err)
	}
	defer n.tree.CloseDir(dir)
	versions, err := dir.Names(func(e osdir.Entry) bool {
		return objectfile.ValidVersion(e.Name) && !isLeftover(e.Name, current)
	})
	slices.Reverse(versions)
	return versions, bucketdir.WrapError(err)
}

// isLeftover reports whether an interrupted removal of the current object has left the version name.
// A removal adds a link to the object and a newer delete marker before it removes the object.
func isLeftover(name string, current objectfile.ObjectFile) bool {
	if !current.Found() {
		return false
	}
	if objectfile.IsMarker(name) {
		return objectfile.VersionTime(name) > current.Meta.MTime
	}
	return name == objectfile.VersionOf(current.Meta)
}

// openVersion opens a noncurrent version. It returns nil if the version does not exist or is a delete
// marker.
func (n *Noncurrent) openVersion(key, version string) (*osdir.File, error) {
	if objectfile.IsMarker(version) {
		return nil, nil
	}
	return n.reader.OpenIn(n.Dirs.Path(key), version)
}

// deleteVersion removes a noncurrent version, if it exists, from the directory with the versions of
// its key. The caller must hold the lock of the key.
func (n *Noncurrent) deleteVersion(ctx context.Context, r *driver.DeleteRequest) error {
	path := n.Dirs.Path(r.Key)
	dir, err := n.tree.Open(path)
	if err != nil {
		return bucketdir.IgnoreNotExist(err)
	}
	defer n.tree.CloseDir(dir)

	file, err := n.reader.StatObject(dir, r.Version)
	if err != nil || !file.Found() {
		return err
	}
	if err := n.reader.CheckWrite(file, r.Condition); err != nil {
		return err
	}
	if err := n.reader.CheckRemovable(file, r.BypassGovernance); err != nil {
		return err
	}

	// The attributes of the file may be in a sidecar named after its inode. Until the sidecar is
	// removed, the inode must not become that of another file.
	releaseInode := n.reader.HoldInode(file)
	defer releaseInode()
	// With soft delete, the file is kept under another name.
	if err := n.removed.addFile(ctx, r.Key, file); err != nil {
		return err
	}
	if err := n.unlinkVersion(ctx, dir, r.Version); err != nil {
		return err
	}
	n.removed.removeSidecar(file.Meta)

	// Remove the directory if this was the last version.
	n.tree.Prune(ctx, path, bucketdir.VersionsPath)
	return nil
}

// unlinkVersion removes the file of a version, if it exists, and flushes the removal to the disk.
func (n *Noncurrent) unlinkVersion(ctx context.Context, dir *osdir.Dir, version string) error {
	if err := dir.UnlinkInUse(ctx, version); err != nil {
		return bucketdir.IgnoreNotExist(err)
	}
	return bucketdir.UnknownOutcome(n.tree.Flush(dir))
}

// promote atomically replaces the current object by the newest noncurrent version, and reports whether it
// did. It returns false if there is no such version, or if the newest one is a delete marker. The caller
// must hold the lock of the key.
func (n *Noncurrent) promote(ctx context.Context, key string, current objectfile.ObjectFile) (bool, error) {
	path := n.Dirs.Path(key)
	dir, err := n.tree.Open(path)
	if err != nil {
		return false, bucketdir.IgnoreNotExist(err)
	}
	defer n.tree.CloseDir(dir)

	// An interrupted removal of the current object may have left names here.
	if err := n.dropLeftovers(ctx, dir, current); err != nil {
		return false, err
	}
	// The directory may be empty in the end.
	defer n.tree.Prune(ctx, path, bucketdir.VersionsPath)

	versions, err := n.noncurrentVersions(key, current)
	if err != nil {
		return false, err
	}
	if len(versions) == 0 || objectfile.IsMarker(versions[0]) {
		return false, nil
	}

	newest := versions[0]
	// One rename both removes the current object and makes the newest version current.
	replace := func() error { return current.Dir.Rename(current.Base, dir, newest) }
	if err := osdir.RetryInUse(ctx, replace); err != nil {
		return false, bucketdir.WrapError(err)
	}
	n.removed.removeSidecar(current.Meta)
	flushErr := errors.Join(n.tree.Flush(current.Dir), n.tree.Flush(dir))
	return true, bucketdir.UnknownOutcome(flushErr)
}

// dropLeftovers removes the names that an interrupted removal of the current object has left in dir.
func (n *Noncurrent) dropLeftovers(ctx context.Context, dir *osdir.Dir, current objectfile.ObjectFile) error {
	names, err := dir.Names(func(e osdir.Entry) bool {
		return objectfile.ValidVersion(e.Name) && isLeftover(e.Name, current)
	})
	for _, name := range names {
		_ = dir.UnlinkInUse(ctx, name)
	}
	return bucketdir.WrapError(err)
}
