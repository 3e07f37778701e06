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

// MarkRemoved adds a delete marker. If there is a current object, it first adds the object to the
// noncurrent versions. The caller must hold the lock of the key, and must remove the object
// afterwards.
func (n *Noncurrent) MarkRemoved(ctx context.Context, key string, current objectfile.ObjectFile) error {
	return n.Dirs.withDir(ctx, key, func(dst *osdir.Dir) error {
		if current.Found() {
			if err := linkVersion(dst, objectfile.VersionOf(current.Meta), current); err != nil {
				return err
			}
		}
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

// writeMarker creates the empty file of a delete marker, and flushes it to the disk unless
// Config.NoSync is set.
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

// newestTime returns the time of the newest version or delete marker in dir, in nanoseconds. If dir has
// none, it returns 0.
func (n *Noncurrent) newestTime(dir *osdir.Dir) (newest int64, err error) {
	err = dir.Each(func(e osdir.Entry) bool {
		if objectfile.ValidVersion(e.Name) {
			newest = max(newest, objectfile.VersionTime(e.Name))
		}
		return true
	})
	return newest, bucketdir.Failure(err)
}

// newestKeptOf returns the result of newestTime for the noncurrent versions of a key.
func (n *Noncurrent) newestKeptOf(key string) (int64, error) {
	dir, err := n.tree.Open(n.Dirs.Path(key))
	if err != nil {
		return 0, bucketdir.UnlessAbsent(err)
	}
	defer n.tree.CloseDir(dir)
	return n.newestTime(dir)
}

// noncurrentVersions returns the noncurrent versions and delete markers of the key, newest first.
// It omits names that an interrupted removal of the current object may have left; see isLeftover.
func (n *Noncurrent) noncurrentVersions(key string, current objectfile.ObjectFile) ([]string, error) {
	dir, err := n.tree.Open(n.Dirs.Path(key))
	if err != nil {
		return nil, bucketdir.UnlessAbsent(err)
	}
	defer n.tree.CloseDir(dir)
	all, err := dir.Names(func(e osdir.Entry) bool {
		return objectfile.ValidVersion(e.Name) && !isLeftover(e.Name, current)
	})
	slices.Reverse(all)
	return all, bucketdir.Failure(err)
}

// isLeftover reports whether a noncurrent version is a leftover of an interrupted removal. A
// removal first adds two names to the noncurrent versions: a link to the current object, and a
// newer delete marker. Then it removes the current object. If the current object still exists, both
// names are leftovers.
func isLeftover(name string, current objectfile.ObjectFile) bool {
	if !current.Found() {
		return false
	}
	if objectfile.IsMarker(name) {
		return objectfile.VersionTime(name) > current.Meta.MTime
	}
	return name == objectfile.VersionOf(current.Meta)
}

// openVersion opens a noncurrent version. If the version does not exist, or is a delete marker, it
// returns nil.
func (n *Noncurrent) openVersion(key, version string) (*osdir.File, error) {
	if objectfile.IsMarker(version) {
		return nil, nil
	}
	return n.reader.OpenIn(n.Dirs.Path(key), version)
}

// deleteVersion removes a noncurrent version. The caller holds the lock of the key.
func (n *Noncurrent) deleteVersion(ctx context.Context, r *driver.DeleteRequest) error {
	path := n.Dirs.Path(r.Key)
	dir, err := n.tree.Open(path)
	if err != nil {
		return bucketdir.UnlessAbsent(err)
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

	releaseInode := n.reader.HoldInode(file)
	defer releaseInode()
	if err := n.removed.addFile(ctx, r.Key, file); err != nil {
		return err
	}
	if err := n.unlinkVersion(ctx, dir, r.Version); err != nil {
		return err
	}

	n.removed.removeSidecar(file.Meta)
	n.tree.Prune(ctx, path, bucketdir.VersionsPath)
	return nil
}

// unlinkVersion removes the file of a version. If the file does not exist, it does nothing.
func (n *Noncurrent) unlinkVersion(ctx context.Context, dir *osdir.Dir, version string) error {
	if err := dir.UnlinkInUse(ctx, version); err != nil {
		return bucketdir.UnlessAbsent(err)
	}
	return bucketdir.UnknownOutcome(n.tree.Flush(dir))
}

// promote atomically replaces the current object by the newest noncurrent version. If there is no
// such version, or if it is a delete marker, promote returns false. The caller holds the lock of
// the key.
func (n *Noncurrent) promote(ctx context.Context, key string, current objectfile.ObjectFile) (bool, error) {
	path := n.Dirs.Path(key)
	dir, err := n.tree.Open(path)
	if err != nil {
		return false, bucketdir.UnlessAbsent(err)
	}
	defer n.tree.CloseDir(dir)

	if err := n.dropLeftovers(ctx, dir, current); err != nil {
		return false, err
	}
	versions, err := n.noncurrentVersions(key, current)
	if err != nil {
		n.tree.Prune(ctx, path, bucketdir.VersionsPath)
		return false, err
	}
	if len(versions) == 0 || objectfile.IsMarker(versions[0]) {
		n.tree.Prune(ctx, path, bucketdir.VersionsPath)
		return false, nil
	}

	newest := versions[0]
	if err := osdir.RetryInUse(ctx, func() error { return current.Dir.Rename(current.Base, dir, newest) }); err != nil {
		return false, bucketdir.Failure(err)
	}
	n.removed.removeSidecar(current.Meta)
	err = bucketdir.UnknownOutcome(errors.Join(n.tree.Flush(current.Dir), n.tree.Flush(dir)))
	n.tree.Prune(ctx, path, bucketdir.VersionsPath)
	return true, err
}

// dropLeftovers removes the names that an interrupted removal of the current object has left in d.
func (n *Noncurrent) dropLeftovers(ctx context.Context, dir *osdir.Dir, current objectfile.ObjectFile) error {
	names, err := dir.Names(func(e osdir.Entry) bool {
		return objectfile.ValidVersion(e.Name) && isLeftover(e.Name, current)
	})
	for _, name := range names {
		_ = dir.UnlinkInUse(ctx, name)
	}
	return bucketdir.Failure(err)
}
