package local

import (
	"context"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// Delete removes the current object, or the version that the request names. If the
// bucket keeps versions, the removed object becomes a noncurrent version below a delete marker, and
// a missing key gets a marker, too. A version is removed permanently. If it was the newest one of
// its key, the next one decides whether there is an object: it becomes current, unless it is a
// delete marker.
func (d *objectDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	if r.Version != "" && !validVersion(r.Version) {
		return errVersion
	}
	s, err := d.acquire(ctx)
	if err != nil {
		return err
	}
	defer d.release(s)
	l, ok := s.tree.names().locate(r.Key)
	if !ok {
		return s.tree.checkPlace()
	}
	if s.tree.keepsVersions() { // a missing key gets a marker
		err = s.tree.initialize()
	} else if err = s.objects.initializeFor(l); err == storage.ObjectNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return s.tree.retry(ctx, func() error { return s.objects.deleteOnce(ctx, l, r) })
}

func (o *objects) deleteOnce(ctx context.Context, l location, r *driver.DeleteRequest) error {
	var plain *osdir.Dir
	var err error
	if isMarker(r.Version) { // an object may return there
		plain, err = o.makeDirs(ctx, r.Key, l)
	} else {
		plain, err = o.tree.openIfThere(l.dir)
	}
	if err != nil {
		return err
	}
	closePlain := sync.OnceFunc(func() { o.tree.closeDir(plain) })
	defer closePlain()
	removed, err := o.deleteLocked(ctx, plain, l, r)
	switch {
	case err != nil:
		return err
	case !removed:
		return o.tree.checkPlace()
	}
	if plain != nil {
		if err := o.tree.flush(plain); err != nil {
			return unknownOutcome(err)
		}
	}
	closePlain() // an open directory could not be removed
	if l.altDir != l.dir {
		o.tree.prune(ctx, l.altDir, "")
	}
	o.tree.prune(ctx, l.dir, "")
	return nil
}

func (o *objects) deleteLocked(
	ctx context.Context, plain *osdir.Dir, l location, r *driver.DeleteRequest,
) (bool, error) {
	unlock, err := o.locks.lock(ctx, r.Key)
	if err != nil {
		return false, err
	}
	defer unlock()
	if err := interrupted(ctx); err != nil {
		return false, err
	}
	if err := o.settings.learnVersioning(); err != nil {
		return false, err
	}
	at := o.candidates(l, plain)
	defer at.close()
	current, err := at.find()
	if err != nil {
		return false, err
	}
	if isMarker(r.Version) {
		return true, at.deleteMarker(ctx, r, current)
	}
	if r.Version != "" && (!current.found() || versionOf(current.meta) != r.Version) {
		return false, o.noncurrent.deleteVersion(ctx, r)
	}
	if !current.found() {
		if o.tree.keepsVersions() && r.Condition.Revision == "" {
			return false, o.noncurrent.markRemoved(ctx, r.Key, current)
		}
		return false, nil
	}
	if err := o.reader.checkWrite(current, r.Condition); err != nil {
		return false, err
	}
	defer o.reader.holdInode(current)()
	if err := at.adopt(ctx, current); err != nil {
		return false, err
	}
	if r.Version != "" {
		if err := o.reader.checkRemovable(current, r.BypassGovernance); err != nil {
			return false, err
		}
	}
	if err := at.dropVisible(ctx); err != nil {
		return false, err
	}
	if r.Version != "" || !o.tree.keepsVersions() {
		if err := o.removed.keep(ctx, r.Key, current); err != nil {
			return false, err
		}
	}
	switch {
	case r.Version != "":
		promoted, err := o.noncurrent.promote(ctx, r.Key, current)
		if promoted && err == nil && o.reader.writesVisible() {
			err = at.rewriteVisible(ctx, current)
		}
		if promoted || err != nil {
			return false, err
		}
	case o.tree.keepsVersions():
		if err := o.noncurrent.markRemoved(ctx, r.Key, current); err != nil {
			return false, err
		}
		return true, at.remove(ctx)
	}
	if err := at.remove(ctx); err != nil {
		return false, err
	}
	o.removed.drop(current.meta)
	return true, nil
}
