package bucketstore

import (
	"context"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// Delete removes the current object, or the version that r names.
func (o *Objects) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	l, ok := o.tree.Names().Locate(r.Key)
	if !ok {
		return o.tree.CheckPlace()
	}
	var err error
	if o.tree.KeepsVersions() {
		// Even a missing key gets a delete marker.
		err = o.tree.Initialize()
	} else if err = o.initializeFor(l); err == storage.ObjectNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return o.tree.Retry(ctx, func() error { return o.deleteOnce(ctx, l, r) })
}

func (o *Objects) deleteOnce(ctx context.Context, l bucketdir.Location, r *driver.DeleteRequest) error {
	var dir *osdir.Dir
	var err error
	if objectfile.IsMarker(r.Version) {
		// Removing the marker may restore an object in this directory.
		dir, err = o.makeDirs(ctx, r.Key, l)
	} else {
		dir, err = o.tree.OpenIfThere(l.Dir)
	}
	if err != nil {
		return err
	}

	closePlain := sync.OnceFunc(func() {
		o.tree.CloseDir(dir)
	})
	defer closePlain()

	ok, err := o.deleteLocked(ctx, dir, l, r)
	if err != nil {
		return err
	}
	if !ok {
		return o.tree.CheckPlace()
	}
	if dir != nil {
		if err := o.tree.Flush(dir); err != nil {
			return bucketdir.UnknownOutcome(err)
		}
	}

	// Close first, because Windows does not remove an open directory.
	closePlain()
	if l.AltDir != l.Dir {
		o.tree.Prune(ctx, l.AltDir, "")
	}
	o.tree.Prune(ctx, l.Dir, "")
	return nil
}

func (o *Objects) deleteLocked(
	ctx context.Context, dir *osdir.Dir, l bucketdir.Location, r *driver.DeleteRequest,
) (bool, error) {
	unlock, err := o.locks.Lock(ctx, r.Key)
	if err != nil {
		return false, err
	}
	defer unlock()

	if err := bucketdir.Interrupted(ctx); err != nil {
		return false, err
	}
	if err := o.settings.learnVersioning(); err != nil {
		return false, err
	}

	candidates := o.Candidates(l, dir)
	defer candidates.Close()
	current, err := candidates.Find()
	if err != nil {
		return false, err
	}

	if objectfile.IsMarker(r.Version) {
		return true, o.deleteMarker(ctx, candidates, r, current)
	}
	if r.Version != "" && (!current.Found() || objectfile.VersionOf(current.Meta) != r.Version) {
		return false, o.noncurrent.deleteVersion(ctx, r)
	}

	if !current.Found() {
		if o.tree.KeepsVersions() && r.Condition.Revision == "" {
			return false, o.noncurrent.MarkRemoved(ctx, r.Key, current)
		}
		return false, nil
	}

	if err := o.reader.CheckWrite(current, r.Condition); err != nil {
		return false, err
	}
	defer o.reader.HoldInode(current)()
	if err := candidates.Adopt(ctx, current); err != nil {
		return false, err
	}

	if r.Version != "" {
		if err := o.reader.CheckRemovable(current, r.BypassGovernance); err != nil {
			return false, err
		}
	}

	if err := candidates.DropVisible(ctx); err != nil {
		return false, err
	}
	if r.Version != "" || !o.tree.KeepsVersions() {
		if err := o.removed.addFile(ctx, r.Key, current); err != nil {
			return false, err
		}
	}

	if r.Version != "" {
		isPromoted, err := o.noncurrent.promote(ctx, r.Key, current)
		if isPromoted && err == nil && o.reader.WritesVisible() {
			err = candidates.RewriteVisible(ctx, current)
		}
		if isPromoted || err != nil {
			return false, err
		}
	} else if o.tree.KeepsVersions() {
		if err := o.noncurrent.MarkRemoved(ctx, r.Key, current); err != nil {
			return false, err
		}
		return true, candidates.Remove(ctx)
	}

	if err := candidates.Remove(ctx); err != nil {
		return false, err
	}
	o.removed.removeSidecar(current.Meta)
	return true, nil
}

// deleteMarker removes a delete marker. If the key has no current object and the marker was its
// newest version, the version before it becomes current. The caller holds the lock of the key.
func (o *Objects) deleteMarker(
	ctx context.Context, candidates *objectfile.Candidates, r *driver.DeleteRequest, current objectfile.ObjectFile,
) error {
	path := o.noncurrent.Dirs.Path(r.Key)
	d, err := o.tree.Open(path)
	if err != nil {
		return bucketdir.UnlessAbsent(err)
	}
	defer o.tree.CloseDir(d)
	versions, err := o.noncurrent.noncurrentVersions(r.Key, current)
	if err != nil {
		return err
	}
	if !current.Found() && len(versions) > 1 && versions[0] == r.Version && !objectfile.IsMarker(versions[1]) {
		if err := candidates.Restore(ctx, d, versions[1]); err != nil {
			return err
		}
	}
	if err := o.noncurrent.unlinkVersion(ctx, d, r.Version); err != nil {
		return err
	}
	o.tree.Prune(ctx, path, bucketdir.VersionsPath)
	return nil
}
