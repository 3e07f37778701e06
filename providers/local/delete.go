package local

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
)

// Delete removes the current object, or the version that the request names. If the
// bucket keeps versions, the removed object becomes a noncurrent version below a delete marker, and
// a missing key gets a marker, too. A version is removed permanently. If it was the newest one of
// its key, the next one decides whether there is an object: it becomes current, unless it is a
// delete marker.
func (d *driver) Delete(ctx context.Context, r *storage.DeleteRequest) error {
	if r.Version != "" && !validVersion(r.Version) {
		return errVersion
	}
	s, err := d.acquire(ctx)
	if err != nil {
		return err
	}
	defer d.release(s)
	l, ok := s.names().locate(r.Key)
	if !ok {
		return s.notFoundIfBucketGone(nil)
	}
	if written, err := s.isInitialized(); err != nil {
		return err
	} else if !written { // a bucket without the reserved directory: do not create it unless the object exists
		f, err := s.openCurrent(l)
		if err != nil || f == nil && !s.keepsVersions() {
			return s.notFoundIfBucketGone(err)
		}
		if f != nil {
			_ = f.close()
		}
		if err := s.initialize(); err != nil {
			return err
		}
	}
	return s.delete(ctx, l, r)
}

// notFoundIfBucketGone returns err. If err is nil and the bucket was removed, it returns
// BucketNotFound.
func (s *store) notFoundIfBucketGone(err error) error {
	if err != nil {
		return err
	}
	if err := s.notFoundError(); err != storage.ObjectNotFound {
		return err
	}
	return nil
}

func (s *store) delete(ctx context.Context, l location, r *storage.DeleteRequest) error {
	var round rounds
	for {
		if err := round.next(ctx); err != nil {
			return err
		}
		err := s.deleteOnce(ctx, l, r)
		if !errors.Is(err, errDirGone) {
			return err
		}
		if err := s.notFoundError(); err != storage.ObjectNotFound {
			return err
		}
	}
}

func (s *store) deleteOnce(ctx context.Context, l location, r *storage.DeleteRequest) error {
	plain, err := s.dirOfRemoval(ctx, l, r)
	if err != nil {
		return err
	}
	closed := plain == nil
	closePlain := func() {
		if !closed {
			closed = true
			s.closeDir(plain)
		}
	}
	defer closePlain()
	removed, err := s.deleteLocked(ctx, plain, l, r)
	if err != nil || !removed {
		return s.notFoundIfBucketGone(err)
	}
	if s.driver.sync && plain != nil {
		if err := plain.sync(); err != nil {
			return unknownOutcome(err)
		}
	}
	closePlain() // an open directory could not be removed
	if l.altDir != l.dir {
		s.prune(ctx, l.altDir, "")
	}
	s.prune(ctx, l.dir, "")
	return nil
}

// dirOfRemoval opens the directory of the object, which may be nil. If an object may return there,
// it makes the directory.
func (s *store) dirOfRemoval(ctx context.Context, l location, r *storage.DeleteRequest) (*dir, error) {
	if isMarker(r.Version) {
		return s.makeDirs(ctx, r.Key, l)
	}
	plain, err := s.open(l.dir)
	if err != nil && !isNoObject(err) {
		return nil, failure(err)
	}
	if err != nil {
		return nil, nil
	}
	return plain, nil
}

func (s *store) deleteLocked(ctx context.Context, plain *dir, l location, r *storage.DeleteRequest) (bool, error) {
	unlock, err := s.lock(ctx, r.Key)
	if err != nil {
		return false, err
	}
	defer unlock()
	if err := interrupted(ctx); err != nil {
		return false, err
	}
	if err := s.learnVersioning(); err != nil {
		return false, err
	}
	at := &candidates{store: s, l: l, plain: plain}
	defer at.close()
	current, err := at.find()
	if err != nil {
		return false, err
	}
	if isMarker(r.Version) {
		return true, at.deleteMarker(ctx, r, current)
	}
	if r.Version != "" && (!current.found() || versionOf(current.meta) != r.Version) {
		return false, s.deleteVersion(ctx, r)
	}
	if !current.found() {
		if s.keepsVersions() && r.Condition.Revision == "" {
			return false, s.markRemoved(ctx, r.Key, current)
		}
		return false, nil
	}
	if err := s.checkWrite(current, r.Condition); err != nil {
		return false, err
	}
	defer s.holdInode(current)()
	if err := at.adopt(ctx, current); err != nil {
		return false, err
	}
	if r.Version != "" {
		if err := s.checkRemovable(current, r.BypassGovernance); err != nil {
			return false, err
		}
	}
	if err := at.dropVisible(ctx); err != nil {
		return false, err
	}
	switch {
	case r.Version != "":
		promoted, err := s.promote(ctx, r.Key, current)
		if promoted && err == nil && s.driver.visible {
			err = at.rewriteVisible(ctx, current)
		}
		if promoted || err != nil {
			return false, err
		}
	case s.keepsVersions():
		if err := s.markRemoved(ctx, r.Key, current); err != nil {
			return false, err
		}
		return true, at.remove(ctx)
	}
	if err := at.remove(ctx); err != nil {
		return false, err
	}
	s.dropSidecar(current.meta)
	return true, nil
}
