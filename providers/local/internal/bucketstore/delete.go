package bucketstore

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// Delete removes the current object, or the version that r names.
func (o *Objects) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	loc, ok := o.tree.Names().Locate(r.Key)
	if !ok {
		// No object can have this key, so only a lost bucket is an error.
		return o.tree.CheckPath()
	}
	isNeeded, err := o.initializeForDelete(loc)
	if err != nil || !isNeeded {
		return err
	}
	return o.tree.Retry(ctx, func() error { return o.deleteOnce(ctx, loc, r) })
}

// initializeForDelete initializes the bucket for a removal of the object at loc. isNeeded is false if
// the bucket was never written and has no such object.
func (o *Objects) initializeForDelete(loc bucketdir.Location) (isNeeded bool, err error) {
	if o.tree.KeepsVersions() {
		// Even a missing key gets a delete marker.
		return true, o.tree.Initialize()
	}
	err = o.initializeFor(loc)
	if err == storage.ObjectNotFound {
		return false, nil
	}
	return true, err
}

// deleteOnce makes one attempt to remove the object or version that r names. It fails with ErrRetry
// if another process interferes.
func (o *Objects) deleteOnce(ctx context.Context, loc bucketdir.Location, r *driver.DeleteRequest) error {
	dir, err := o.openToDelete(ctx, loc, r)
	if err != nil {
		return err
	}
	hasChanged, err := o.deleteIn(ctx, dir, loc, r)
	if err != nil {
		return err
	}
	if !hasChanged {
		// The bucket's path may lead to another directory now.
		return o.tree.CheckPath()
	}

	// Remove the directories of both names that are empty now.
	if loc.AltDir != loc.Dir {
		o.tree.Prune(ctx, loc.AltDir, "")
	}
	o.tree.Prune(ctx, loc.Dir, "")
	return nil
}

// openToDelete opens the directory of the object at loc. It returns nil if there is no such
// directory, unless removing a delete marker may restore an object in it.
func (o *Objects) openToDelete(
	ctx context.Context, loc bucketdir.Location, r *driver.DeleteRequest,
) (*osdir.Dir, error) {
	if objectfile.IsMarker(r.Version) {
		return o.makeDirs(ctx, r.Key, loc)
	}
	return o.tree.OpenIfThere(loc.Dir)
}

// deleteIn removes the object or version that r names, flushes dir if that has changed it, and closes
// dir, because Windows does not remove an open directory. dir may be nil.
func (o *Objects) deleteIn(
	ctx context.Context, dir *osdir.Dir, loc bucketdir.Location, r *driver.DeleteRequest,
) (hasChanged bool, err error) {
	defer o.tree.CloseDir(dir)
	hasChanged, err = o.deleteLocked(ctx, dir, loc, r)
	if err != nil || !hasChanged {
		return hasChanged, err
	}
	if dir == nil {
		return true, nil
	}
	if err := o.tree.Flush(dir); err != nil {
		return true, bucketdir.UnknownOutcome(err)
	}
	return true, nil
}

// deleteLocked locks the key, and removes the object or the version that r names. If hasChanged is
// true, the caller must flush dir, and remove it if it is empty now.
func (o *Objects) deleteLocked(
	ctx context.Context, dir *osdir.Dir, loc bucketdir.Location, r *driver.DeleteRequest,
) (hasChanged bool, err error) {
	unlock, err := o.locks.Lock(ctx, r.Key)
	if err != nil {
		return false, err
	}
	defer unlock()

	if err := bucketdir.ContextError(ctx); err != nil {
		return false, err
	}
	if err := o.settings.loadVersioning(); err != nil {
		return false, err
	}

	// The candidates are the files that may be the current object.
	candidates := o.Candidates(loc, dir)
	defer candidates.Close()
	current, err := candidates.Find()
	if err != nil {
		return false, err
	}

	if r.Version == "" {
		return o.deleteCurrent(ctx, candidates, r, current)
	}
	if objectfile.IsMarker(r.Version) {
		return true, o.deleteMarker(ctx, candidates, r, current)
	}
	if current.Found() && objectfile.VersionOf(current.Meta) == r.Version {
		return o.deleteCurrentVersion(ctx, candidates, r, current)
	}
	return false, o.noncurrent.deleteVersion(ctx, r)
}

// deleteCurrent removes the current object or, if the bucket keeps versions, makes it a noncurrent
// version below a delete marker. If hasChanged is true, the caller must flush the directory of the
// object, and remove it if it is empty now.
func (o *Objects) deleteCurrent(
	ctx context.Context, candidates *objectfile.Candidates, r *driver.DeleteRequest, current objectfile.ObjectFile,
) (hasChanged bool, err error) {
	keepsVersions := o.tree.KeepsVersions()
	if !current.Found() {
		// Without an object, the removal still adds a delete marker.
		if keepsVersions && r.Condition.Revision == "" {
			return false, o.noncurrent.MarkRemoved(ctx, r.Key, current)
		}
		return false, nil
	}

	if err := o.reader.CheckWrite(current, r.Condition); err != nil {
		return false, err
	}
	// The attributes of the file may be in a sidecar named after its inode. Until the sidecar is
	// removed, the inode must not become that of another file.
	releaseInode := o.reader.HoldInode(current)
	defer releaseInode()

	// Remove the visible sidecar, a file beside the object, before the object. Before that, Adopt copies
	// the attributes in it to the object's file, which may stay as a version or a soft-deleted file.
	if err := candidates.Adopt(ctx, current); err != nil {
		return false, err
	}
	if err := candidates.DropVisible(ctx); err != nil {
		return false, err
	}

	if keepsVersions {
		if err := o.noncurrent.MarkRemoved(ctx, r.Key, current); err != nil {
			return false, err
		}
		return true, candidates.Remove(ctx)
	}
	if err := o.removed.addFile(ctx, r.Key, current); err != nil {
		return false, err
	}
	return o.removeCurrent(ctx, candidates, current)
}

// deleteCurrentVersion permanently removes the version that is the current object, after which the
// newest noncurrent version becomes current, unless it is a delete marker. If hasChanged is true, the
// caller must flush the directory of the object, and remove it if it is empty now.
func (o *Objects) deleteCurrentVersion(
	ctx context.Context, candidates *objectfile.Candidates, r *driver.DeleteRequest, current objectfile.ObjectFile,
) (hasChanged bool, err error) {
	if err := o.reader.CheckWrite(current, r.Condition); err != nil {
		return false, err
	}
	// Until the sidecar is removed, the inode must not become that of another file.
	releaseInode := o.reader.HoldInode(current)
	defer releaseInode()

	// Copy the attributes of the visible sidecar to the file before the check, because they may contain
	// the retention.
	if err := candidates.Adopt(ctx, current); err != nil {
		return false, err
	}
	if err := o.reader.CheckRemovable(current, r.BypassGovernance); err != nil {
		return false, err
	}
	if err := candidates.DropVisible(ctx); err != nil {
		return false, err
	}
	// With soft delete, the file is kept under another name.
	if err := o.removed.addFile(ctx, r.Key, current); err != nil {
		return false, err
	}

	isPromoted, err := o.noncurrent.promote(ctx, r.Key, current)
	if err != nil {
		return false, err
	}
	if !isPromoted {
		return o.removeCurrent(ctx, candidates, current)
	}
	// The version that promote has made current needs a visible sidecar. promote has flushed the
	// directory, and the directory is not empty.
	if !o.reader.WritesVisible() {
		return false, nil
	}
	return false, candidates.RewriteVisible(ctx, current)
}

// removeCurrent removes the files of the current object, and then its sidecar, which has its attributes
// on some disks. It returns true unless it fails.
func (o *Objects) removeCurrent(
	ctx context.Context, candidates *objectfile.Candidates, current objectfile.ObjectFile,
) (hasChanged bool, err error) {
	if err := candidates.Remove(ctx); err != nil {
		return false, err
	}
	o.removed.removeSidecar(current.Meta)
	return true, nil
}

// deleteMarker removes a delete marker. If the marker hides the object, because it is the newest
// version, the version before it becomes current. The caller must hold the lock of the key.
func (o *Objects) deleteMarker(
	ctx context.Context, candidates *objectfile.Candidates, r *driver.DeleteRequest, current objectfile.ObjectFile,
) error {
	path := o.noncurrent.Dirs.Path(r.Key)
	dir, err := o.tree.Open(path)
	if err != nil {
		return bucketdir.IgnoreNotExist(err)
	}
	defer o.tree.CloseDir(dir)

	versions, err := o.noncurrent.noncurrentVersions(r.Key, current)
	if err != nil {
		return err
	}
	isNewest := !current.Found() && len(versions) > 0 && versions[0] == r.Version
	// The version below the marker becomes current, unless it is a marker, too.
	if isNewest && len(versions) > 1 && !objectfile.IsMarker(versions[1]) {
		if err := candidates.Restore(ctx, dir, versions[1]); err != nil {
			return err
		}
	}

	if err := o.noncurrent.unlinkVersion(ctx, dir, r.Version); err != nil {
		return err
	}
	o.tree.Prune(ctx, path, bucketdir.VersionsPath)
	return nil
}
